//! Whose folder it is: the first thing that is read, and it is never changed.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    clocks::Actor,
    stores::{StoreName, faulty::Basis},
};

use super::{FolderFault, HEADER, told};

/// The format of the folder. A version of this program reads and writes one.
const FORMAT: u64 = 1;

/// A header is not longer.
const MOST_BYTES: u64 = 1 << 20;

/// Whose folder it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    /// See [`FORMAT`].
    sibcheck_node_format: u64,
    /// The store, with the bug that is planted in it.
    store: String,
    /// N, R and W, where it has any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    quorums: Option<String>,
    /// What the node is called.
    node: String,
    /// What the nodes of its cluster are called, in their order.
    cluster: Vec<String>,
}

impl Header {
    pub(super) fn of(store: StoreName, node: &Actor, cluster: &[Actor]) -> Self {
        Self {
            sibcheck_node_format: FORMAT,
            store: kind(store),
            quorums: quorums(store),
            node: node.as_str().to_owned(),
            cluster: cluster
                .iter()
                .map(|name| name.as_str().to_owned())
                .collect(),
        }
    }

    /// The header in this file; none where there is no file.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, FolderFault> {
        /// What every format has.
        #[derive(Deserialize)]
        struct AnyFormat {
            sibcheck_node_format: u64,
        }
        let mut text = Vec::new();
        let read = File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut text));
        match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(FolderFault::failed("read whose it is"))?,
        };
        let damaged = |error: serde_json::Error| FolderFault::Damaged {
            file: HEADER,
            what: told(error),
        };
        let AnyFormat {
            sibcheck_node_format: theirs,
        } = serde_json::from_slice(&text).map_err(damaged)?;
        if theirs != FORMAT {
            return Err(FolderFault::Version {
                theirs,
                ours: FORMAT,
            });
        }
        serde_json::from_slice(&text).map(Some).map_err(damaged)
    }

    pub(super) fn to_text(&self) -> String {
        let mut text = serde_json::to_string(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Fails unless it is that of a node of this store.
    pub(super) fn serves(&self, store: StoreName) -> Result<(), FolderFault> {
        same("the store", &self.store, &kind(store))?;
        let shown = |quorums: &Option<String>| quorums.clone().unwrap_or_else(|| "none".to_owned());
        same(
            "the quorums",
            &shown(&self.quorums),
            &shown(&quorums(store)),
        )
    }

    /// Fails unless it is the same.
    pub(super) fn is(&self, ours: &Self) -> Result<(), FolderFault> {
        same("the node", &self.node, &ours.node)?;
        same(
            "the cluster",
            &self.cluster.join(" "),
            &ours.cluster.join(" "),
        )?;
        if self == ours {
            return Ok(());
        }
        // Names with blanks, or a store that was compared before.
        same("the header", &self.to_text(), &ours.to_text())
    }
}

fn same(what: &'static str, theirs: &str, ours: &str) -> Result<(), FolderFault> {
    if theirs == ours {
        return Ok(());
    }
    Err(FolderFault::Foreign {
        what,
        theirs: told(theirs),
        ours: told(ours),
    })
}

fn kind(store: StoreName) -> String {
    match store {
        StoreName::Dynamo(_) => "dynamo".to_owned(),
        other => other.to_string(),
    }
}

fn quorums(store: StoreName) -> Option<String> {
    (store.basis() == Basis::Dynamo).then(|| store.quorums().to_string())
}
