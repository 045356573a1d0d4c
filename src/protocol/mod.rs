//! The Maelstrom protocol and the dialects of sibling stores: messages as JSON lines.

mod conformance;
mod custom;
mod dialect;
mod difference;
mod error_code;
mod glossary;
mod message;
mod samples;
mod wording;
mod workload;

pub use conformance::{Case, CaseError};
pub use custom::DialectError;
pub use dialect::{ClientRequest, Dialect, UnknownDialect};
pub use difference::{Compared, Difference, Field};
pub use error_code::ErrorCode;
pub use glossary::glossary;
pub use message::{Envelope, Malformed, parse_line};
pub use samples::{SAMPLES, Sample, samples_of};
pub use wording::{
    ContextForm, Contexts, Pointer, ReadWords, StatusWords, Template, Wording, WriteWords,
};
pub use workload::{SERVICES, Workload, WorkloadProbe, workload_probes};

pub(crate) use dialect::{dvv_siblings, dvv_written, object, vc_siblings, vc_written};
pub(crate) use message::error_body;
pub(crate) use wording::Filling;
