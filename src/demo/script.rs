//! The scripted play: commands as anybody can type them, and what there is to see.
//!
//! Nothing is told that depends on latencies, or on which node was first: answers tell that. Who plays
//! which part follows from the ring.

use std::fmt::Write as _;

use anstyle::Style;
use sibcheck_checkers::{Outcome, outside::Outside};

use crate::{
    nodes::node_name,
    reports::words::{count, wrapped},
    stores::dynamo::Quorums,
};

use super::{
    play::Play,
    refusal::Refusal,
    session::{Session, Wrong},
};

const KEY: &str = "cart";
const BOLD: Style = Style::new().bold();

/// Plays the script on nodes that have just started; returns it as text of so many columns, and the verdict.
///
/// # Errors
///
/// When a key has one owner only. When what was played cannot be judged: a bug of this program.
pub fn play_script(play: Play, width: usize) -> Result<(String, Outcome), Wrong> {
    let owners = play.owners(KEY);
    if owners.len() < 2 {
        return Err(Refusal::Alone.into());
    }
    let cast = Cast {
        others: (0..play.nodes())
            .filter(|node| !owners.contains(node))
            .collect(),
        owners,
        nodes: play.nodes(),
        quorums: play.quorums(),
        store: play.store().to_string(),
    };
    let mut narrator = Narrator {
        session: Session::new(play),
        width,
        text: String::new(),
        scenes: 0,
        outcome: Outcome::Unknown,
    };
    narrator.say(&format!(
        "These are the nodes of the store {} that sibcheck checks, in the simulation in which it does so. \
         Only the commands are scripted: sibcheck demo --interactive takes them from you.",
        cast.store
    ));
    one_value(&mut narrator, &cast)?;
    two_values(&mut narrator)?;
    resolved(&mut narrator)?;
    node_fails(&mut narrator, &cast)?;
    partitioned(&mut narrator, &cast)?;
    without_hints(&mut narrator, &cast)?;
    members_change(&mut narrator, &cast)?;
    verdict(&mut narrator, &cast)?;
    Ok((narrator.text, narrator.outcome))
}

/// Who plays which part.
struct Cast {
    /// The owners of the key; there are at least two.
    owners: Vec<u32>,
    /// Nodes that do not own it.
    others: Vec<u32>,
    nodes: u32,
    quorums: Quorums,
    store: String,
}

impl Cast {
    fn first(&self) -> u32 {
        self.owners.first().copied().unwrap_or(0)
    }

    fn second(&self) -> u32 {
        self.owners.get(1).copied().unwrap_or(0)
    }

    fn last(&self) -> u32 {
        self.owners.last().copied().unwrap_or(0)
    }

    /// Lets each node compare what it has with all others.
    fn turn(&self) -> String {
        format!("step {}", 50 * (self.nodes + 1))
    }

    /// Whether so many owners are enough for a write.
    fn enough(&self, owners: usize) -> bool {
        owners >= usize::from(self.quorums.writes)
    }
}

/// Tells and does.
struct Narrator {
    session: Session,
    width: usize,
    text: String,
    scenes: usize,
    outcome: Outcome,
}

impl Narrator {
    fn scene(&mut self, title: &str) {
        self.scenes += 1;
        let number = self.scenes;
        // Writing to a string cannot fail.
        let title = wrapped(&format!("{number}. {title}"), "", "   ", self.width);
        let _ = writeln!(self.text, "\n{BOLD}{title}{BOLD:#}");
    }

    fn say(&mut self, words: &str) {
        let gap = if self.text.is_empty() { "" } else { "\n" };
        self.text += gap;
        self.text += &wrapped(words, "", "", self.width);
        self.text += "\n";
    }

    /// Commands, with a line without one before them.
    fn commands(&mut self, commands: &[&str]) -> Result<(), Wrong> {
        self.text += "\n";
        for command in commands {
            let _ = writeln!(self.text, "{BOLD}> {}{BOLD:#}", Outside(command));
            let answer = self.session.answer(command, self.width)?;
            self.text += &answer.text;
            self.outcome = answer.outcome.unwrap_or(self.outcome);
        }
        Ok(())
    }
}

fn one_value(narrator: &mut Narrator, cast: &Cast) -> Result<(), Wrong> {
    let owners = count(cast.owners.len() as u64, "node");
    narrator.scene("One key, and who owns it");
    narrator.say(&format!(
        "{} stand on a ring of hashes. A key is owned by the first {owners} clockwise from its hash. Any \
         node takes a request, and forwards a write to an owner if it is none. An owner coordinates it: \
         it tells the others, and answers when enough of them have it on storage.",
        count(cast.nodes.into(), "node"),
    ));
    let asked = cast.others.first().copied().unwrap_or(cast.second());
    let put = format!("put {KEY} milk via {}", node_name(asked));
    let (ring, get) = (format!("ring {KEY}"), format!("get {KEY} as bob"));
    narrator.commands(&[&ring, &put, &get])?;
    narrator.say(
        "Behind the value stands its dot: the name of its coordinator, and how many writes of the key that \
         one has coordinated. A dot names one write and no other. A context says how many of each node's \
         writes a client has seen. It comes with every answer, and the client passes it on with its next \
         write, which replaces what the context covers.",
    );
    Ok(())
}

fn two_values(narrator: &mut Narrator) -> Result<(), Wrong> {
    narrator.scene("Two clients write at once");
    narrator.say("Alice and bob both know milk. Neither hears of what the other one writes now.");
    let (eggs, bread) = (format!("put {KEY} eggs"), format!("put {KEY} bread as bob"));
    let (get, siblings) = (format!("get {KEY} as carol"), format!("siblings {KEY}"));
    narrator.commands(&[&eggs, &bread, &get, &siblings])?;
    narrator.say(
        "Both writes replace milk, and neither context covers the dot of the other write. So both values \
         stay, as siblings. A store in which the last writer wins would have lost one without a word.",
    );
    Ok(())
}

fn resolved(narrator: &mut Narrator) -> Result<(), Wrong> {
    narrator.scene("A client resolves them");
    narrator.say(
        "Carol reads both and writes one value in their place. Her context covers both dots, so no node \
         keeps them, and whoever still has them drops them when it hears of hers.",
    );
    let resolve = format!("resolve {KEY} eggs+bread as carol");
    narrator.commands(&[&resolve, &format!("get {KEY}")])
}

fn node_fails(narrator: &mut Narrator, cast: &Cast) -> Result<(), Wrong> {
    let (up, failed) = (cast.owners.len() - 1, node_name(cast.last()));
    let background = cast.quorums.background;
    narrator.scene(if background {
        "An owner fails"
    } else {
        "An owner fails: hinted hand-off"
    });
    narrator.say(&format!(
        "{failed} dies. {} of the key {} left, and a write waits for {}: {}",
        count(up as u64, "owner"),
        if up == 1 { "is" } else { "are" },
        cast.quorums.writes,
        if cast.enough(up) {
            "it is acknowledged."
        } else {
            "nobody can say that it is safe, and it is kept all the same."
        }
    ));
    let put = format!("put {KEY} butter via {}", node_name(cast.first()));
    let siblings = format!("siblings {KEY}");
    narrator.commands(&[&format!("kill {failed}"), &put, "step 50", &siblings])?;
    narrator.say(&if background {
        "This store keeps no hints: owners find what they missed by comparing what they have.".to_owned()
    } else {
        format!(
            "The coordinator did not hear of {failed} in time. It takes it for failed and keeps a hint: the \
             write is owed to it.",
        )
    });
    stand_in(narrator, cast)?;
    narrator.say(&format!("When {failed} is back, it gets what it missed."));
    let step = if background {
        cast.turn()
    } else {
        "step 50".to_owned()
    };
    narrator.commands(&[&format!("restart {failed}"), &step, &siblings])
}

/// Others stand in for an owner, where they may.
fn stand_in(narrator: &mut Narrator, cast: &Cast) -> Result<(), Wrong> {
    if !cast.quorums.sloppy || cast.others.is_empty() {
        return Ok(());
    }
    let failed = node_name(cast.last());
    narrator.say(&format!(
        "The quorum is sloppy: now that {failed} is taken for failed, the next node on the ring stands in \
         for it, and keeps the write until it can be handed off."
    ));
    let put = format!("put {KEY} cheese via {}", node_name(cast.first()));
    narrator.commands(&[&put, &format!("siblings {KEY}")])
}

fn partitioned(narrator: &mut Narrator, cast: &Cast) -> Result<(), Wrong> {
    let half = cast.others.len() / 2;
    let one = [&[cast.first()][..], &cast.others[..half]].concat();
    let other = [&cast.owners[1..], &cast.others[half..]].concat();
    let group = |nodes: &[u32]| {
        let names: Vec<String> = nodes
            .iter()
            .map(|node| node_name(*node).to_string())
            .collect();
        names.join(" ")
    };
    narrator.scene("A partition, and what comes after it");
    let side = |owners: usize| {
        let writes = if cast.enough(owners) {
            "enough for a write"
        } else {
            "too few for a write to be acknowledged"
        };
        format!("{}, {writes}", count(owners as u64, "owner"))
    };
    narrator.say(&format!(
        "Bob reads, and then the network falls apart: on the side of {} there is {}, on the other side {}.",
        node_name(cast.first()),
        side(1),
        side(cast.owners.len() - 1),
    ));
    let partition = format!("partition {} | {}", group(&one), group(&other));
    let jam = format!("put {KEY} jam via {}", node_name(cast.first()));
    let honey = format!("put {KEY} honey as bob via {}", node_name(cast.second()));
    let siblings = format!("siblings {KEY}");
    let read = format!("get {KEY} as bob");
    narrator.commands(&[&read, &partition, &jam, &honey, &siblings])?;
    narrator.say(if cast.quorums.background {
        "No node refuses a write that it can keep. When the network is whole again, all owners compare in \
         turn what they have (anti-entropy)."
    } else {
        "No node refuses a write that it can keep. When the network is whole again, there are three ways \
         to what a node missed: hints are handed off; a read tells owners that it found behind (read \
         repair); and in turn all owners compare what they have (anti-entropy)."
    });
    let get = format!("get {KEY} as carol");
    let step = if cast.quorums.background {
        cast.turn()
    } else {
        "step 100".to_owned()
    };
    narrator.commands(&["heal", &siblings, &get, &step, &siblings])?;
    narrator.say(
        "All owners have the same, and what was written on both sides stands side by side: the next \
         client resolves it.",
    );
    narrator.commands(&[&format!("resolve {KEY} toast as dave"), "step 50"])
}

fn without_hints(narrator: &mut Narrator, cast: &Cast) -> Result<(), Wrong> {
    if !cast.enough(cast.owners.len() - 1) {
        // Then the coordinator waits for the owner that is down, and notices.
        return Ok(());
    }
    let (first, last) = (node_name(cast.first()), node_name(cast.last()));
    narrator.scene("What hints do not know of: anti-entropy");
    narrator.say(&format!(
        "{last} misses a write again, and this time its coordinator {first} dies before it has noticed. \
         So nobody keeps a hint, and nobody reads."
    ));
    let put = format!("put {KEY} tea as dave via {first}");
    let siblings = format!("siblings {KEY}");
    narrator.commands(&[
        &format!("kill {last}"),
        &put,
        &format!("kill {first}"),
        &format!("restart {last}"),
        &format!("restart {first}"),
        &siblings,
        &cast.turn(),
        &siblings,
    ])?;
    narrator.say(
        "Two owners have compared digests of what they have, found that these differ, and sent each other \
         what was missing. What was on storage outlived the crash.",
    );
    Ok(())
}

fn members_change(narrator: &mut Narrator, cast: &Cast) -> Result<(), Wrong> {
    if cast.nodes <= 2 {
        // Nobody would be left to hand anything over to.
        return Ok(());
    }
    let first = node_name(cast.first());
    narrator.scene("A node leaves, and joins again");
    narrator.say(&format!(
        "Who owns a key never depends on who seems to be alive: members change only when they are told to. \
         {first} is told to leave. While the change is pending, owners before and after it count, and {first} \
         hands over what others own from then on."
    ));
    let (ring, siblings) = (format!("ring {KEY}"), format!("siblings {KEY}"));
    let put = format!("put {KEY} salt as erin via {first}");
    let wait = cast.turn();
    narrator.commands(&[
        &format!("leave {first}"),
        &wait,
        "ring",
        &ring,
        &siblings,
        &put,
    ])?;
    narrator.say(&format!(
        "{first} has forgotten the key, and still takes requests for it. When it joins again it gets the key \
         back. What it wrote before has the dots of its old name; it writes under another one from now on, \
         so that no dot is given out twice."
    ));
    let pepper = format!("put {KEY} pepper as erin via {first}");
    narrator.commands(&[&format!("join {first}"), &wait, &ring, &pepper, &siblings])
}

fn verdict(narrator: &mut Narrator, cast: &Cast) -> Result<(), Wrong> {
    narrator.scene("The verdict");
    narrator.say(&format!(
        "All that clients asked and were answered was recorded. The checker has seen nothing else: it \
         recomputes from the answers what each client can have known, and holds them against what {} \
         claims.",
        cast.store
    ));
    narrator.commands(&["judge"])?;
    narrator.text += "\nGo on with\n";
    let check = format!("check --store {}", cast.store);
    for (command, what) in [
        ("demo --interactive", "to try it yourself"),
        (&check, "for thousands of runs like this, drawn at random"),
    ] {
        let what = wrapped(what, "      ", "      ", narrator.width);
        let _ = writeln!(narrator.text, "  sibcheck {command}\n{what}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(store: &str, nodes: u32, seed: u64) -> (String, Outcome) {
        let play = Play::new(store.parse().unwrap(), nodes, seed).unwrap();
        let (text, outcome) = play_script(play, 80).unwrap();
        (anstream::adapter::strip_str(&text).to_string(), outcome)
    }

    /// What the words say is what there is to see, whatever the cluster.
    #[test]
    fn the_script_is_true_on_clusters_of_every_kind() {
        for store in [
            "dynamo",
            "dynamo:3-1-1",
            "dynamo:3-3-3",
            "dynamo:2-1-1",
            "dynamo:3-2-2-sloppy",
            "dynamo:5-3-3",
            "dynamo:3-2-2-background",
        ] {
            for nodes in [2, 3, 5, 8] {
                for seed in 0..8 {
                    let (text, outcome) = played(store, nodes, seed);
                    let told = format!("{store} on {nodes}, seed {seed}:\n{text}");
                    assert_eq!(outcome, Outcome::Valid, "{told}");
                    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                    assert!(text.contains("2 siblings: "), "{told}");
                    let (_, failure) = text.split_once("4. An owner fails").unwrap();
                    let (failure, rest) = failure.split_once("5. A partition").unwrap();
                    let hints = !store.ends_with("background");
                    assert_eq!(failure.contains("; keeps a hint for n"), hints, "{told}");
                    assert_eq!(failure.contains("hints handed off ("), hints, "{told}");
                    let (partition, rest) = rest.split_once(" 6. ").unwrap();
                    let leaves = "A node leaves, and joins again";
                    let (rest, members) = rest.split_once(leaves).unwrap_or((rest, ""));
                    assert_eq!(members.is_empty(), nodes == 2, "{told}");
                    let (left, joined) = members.split_once("> join ").unwrap_or_default();
                    let handed_over = |text: &str| text.contains("changes of the members (");
                    assert_eq!(handed_over(left), nodes > 2, "{told}");
                    assert_eq!(handed_over(joined), nodes > 2, "{told}");
                    assert!(partition.contains("put toast in place of {n"), "{told}");
                    if let Some((_, compared)) = rest.split_once("> step ") {
                        let found = "comparisons that found a difference (";
                        assert!(compared.contains(found), "{told}");
                        assert!(!rest.contains("; keeps a hint for"), "{told}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_planted_bug_is_found_in_the_script() {
        let (text, outcome) = played("faulty:sloppy-quorum-strict", 5, 1);
        assert_eq!(outcome, Outcome::Violated, "{text}");
    }

    #[test]
    fn one_owner_alone_has_no_script() {
        for (store, nodes) in [("dynamo", 1), ("dynamo:1-1-1", 5)] {
            let play = Play::new(store.parse().unwrap(), nodes, 1).unwrap();
            let refused = play_script(play, 80).unwrap_err().to_string();
            assert!(refused.contains("--nodes 2 or more"), "{refused}");
        }
    }
}
