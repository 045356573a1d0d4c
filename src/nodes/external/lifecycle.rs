//! The life of the nodes of a run: started, spoken to, listened to, ended.

use std::{path::PathBuf, time::Duration};

use serde_json::json;

use crate::{
    files,
    nodes::{
        Output,
        process::{ExternalError, Idle, Launch, Line, Process, Unsettled, Waited, now},
    },
    simulation::Death,
    workloads::Workload,
};

use super::{
    Deviation, External, FailureKind, GRACE, INITIATOR, LAST_WORDS, NodeFailure, Starting, Wire,
    conversation::mute, intake::Intake,
};

/// So much of the end of what a node wrote to stderr is kept with a finding.
const MOST_LOG_BYTES: u64 = 16 << 20;

/// Real time between two looks at a node that starts.
const START_SLICE: Duration = Duration::from_millis(20);

impl<W: Workload> External<'_, W> {
    /// Ends the nodes in good order: their input is closed, and what has not ended after a grace
    /// period is killed, with all that it started. A program that was seen not to end by itself
    /// is not waited for again.
    pub fn finish(&mut self) {
        let patient = self.failure.is_none() && !self.tolerated.stay_alive();
        let mut processes: Vec<Process> =
            self.processes.iter_mut().filter_map(Option::take).collect();
        for process in &mut processes {
            process.close_input();
        }
        let deadline = now() + GRACE;
        for mut process in processes {
            let grace = if patient {
                deadline.saturating_duration_since(now())
            } else {
                Duration::ZERO
            };
            // What it still writes reaches nobody.
            let ended = process.stop(grace, &mut Vec::new());
            if patient && ended.killed {
                self.note_staying(process.name());
            }
        }
    }

    /// What each node wrote to stderr, by its name; none for a node that was silent.
    pub fn logs(&self) -> Vec<(String, Vec<u8>)> {
        let nodes = 0..u32::try_from(self.names.len()).unwrap_or(0);
        let logs = nodes.filter_map(|node| {
            let text = files::read_end(&self.stderr_file(node), MOST_LOG_BYTES).ok()?;
            (!text.is_empty()).then(|| (self.names[node as usize].to_string(), text))
        });
        logs.collect()
    }

    pub(super) fn stderr_file(&self, node: u32) -> PathBuf {
        let name = &self.names[node as usize];
        self.folder.join(format!("{name}.stderr"))
    }

    /// Hands a line to a node and routes what it writes until it is idle again.
    pub(super) fn hand_over(&mut self, node: u32, line: &str, out: &mut Vec<Output<Wire>>) {
        self.tell_time(node);
        let Some(process) = self.processes[node as usize].as_mut() else {
            return;
        };
        self.delivered += 1;
        let mut lines = Vec::new();
        if self.together {
            self.handed[node as usize] = true;
            let sent = process.send(line, &mut lines);
            self.route_written(node, &lines, sent.is_err(), out);
            if let Err(error) = sent {
                self.fail_process(&error);
            }
            return;
        }
        let result = if self.real_time {
            process.send(line, &mut lines).map(|()| Idle::Reached)
        } else {
            process.deliver(line, &mut lines)
        };
        self.take_in(node, &lines, result, out);
    }

    /// Routes what a node wrote, and notes what became of it.
    pub(super) fn take_in(
        &mut self,
        node: u32,
        lines: &[Line],
        result: Result<Idle, ExternalError>,
        out: &mut Vec<Output<Wire>>,
    ) {
        self.hear_time(node);
        self.route_written(node, lines, result.is_err(), out);
        let fell = self.processes[node as usize]
            .as_ref()
            .is_some_and(Process::fell);
        if result.is_err() && fell {
            let set_back = self.die(node, self.deaths[node as usize]);
            self.fallen.push((node, set_back));
            return;
        }
        match result {
            Ok(Idle::Never(why)) => self.fail_restless(node, why),
            Ok(Idle::Reached) => self.take_rest(node, !self.real_time, out),
            Ok(Idle::Paused) => {}
            Err(error) => self.fail_process(&error),
        }
    }

    pub(super) fn fail_restless(&mut self, node: u32, why: Unsettled) {
        let patience = self.program.busy_patience;
        let what = match why {
            Unsettled::Running => format!("it went on running for {patience:?} after a message"),
            Unsettled::Unobservable => "this system does not show whether it is at rest".to_owned(),
            Unsettled::InputUnread => {
                return self.fail(
                    FailureKind::Silence,
                    node,
                    &format!("it left input unread for {patience:?}"),
                    "it should read every line of its stdin as it comes",
                );
            }
        };
        let failure = NodeFailure::restless(self.names[node as usize].as_str(), &what);
        self.failure.get_or_insert(failure);
    }

    /// Starts a node's process.
    pub(super) fn spawn(&mut self, node: u32) -> Result<(), ExternalError> {
        self.intakes[node as usize] = Intake::default();
        self.initialised[node as usize] = false;
        let name = &self.names[node as usize];
        let folder = self.folder.join(name.as_str());
        let launch = Launch {
            tracing: self.virtual_time.as_mut().map(|time| time.tracing(node)),
            ..self
                .program
                .launch(name.as_str(), folder, self.stderr_file(node))
        };
        self.processes[node as usize] = Some(Process::spawn(&launch)?);
        self.tell_time(node);
        Ok(())
    }

    /// Starts a node's process and sends it its `init`. In virtual time, and before a run begins in
    /// real time, waits for the answer; where a run in real time goes on, others are not held up.
    pub(super) fn launch(
        &mut self,
        node: u32,
        out: &mut Vec<Output<Wire>>,
    ) -> Result<(), ExternalError> {
        if self.processes[node as usize].is_none() {
            self.spawn(node)?;
        }
        let name = &self.names[node as usize];
        let body = json!({"type": "init", "msg_id": 1, "node_id": name, "node_ids": self.names});
        let init = json!({"src": INITIATOR, "dest": name, "body": body}).to_string();
        let Some(process) = self.processes[node as usize].as_mut() else {
            return Ok(());
        };
        process.set_patience(self.program.busy_patience);
        let mut lines = Vec::new();
        process.send(&init, &mut lines)?;
        // Some languages take seconds to start.
        let mut left = self.program.start_patience;
        if self.began.is_some() {
            self.starting[node as usize] = Some(Starting {
                deadline: now() + left,
                held: Vec::new(),
            });
            return Ok(());
        }
        while !self.initialised[node as usize] && self.failure.is_none() {
            if self.let_start(node, out) {
                continue;
            }
            if left.is_zero() {
                self.fail_silent(node);
                return Ok(());
            }
            let slice = START_SLICE.min(left);
            left -= slice;
            let mut all = Vec::new();
            self.let_time_pass(node, slice, &mut all);
            out.extend(all.into_iter().map(|(_, output)| output));
        }
        let Some(process) = self.processes[node as usize].as_mut() else {
            return Ok(());
        };
        let settled = if self.failure.is_none() && !self.real_time {
            process.settle(&mut lines)
        } else {
            Ok(Idle::Reached)
        };
        if self.paused[node as usize] {
            process.pause()?;
        }
        self.take_in(node, &lines, settled, out);
        Ok(())
    }

    /// Lets a node whose clock is ours do the next thing that it needs to start. False: there is none.
    fn let_start(&mut self, node: u32, out: &mut Vec<Output<Wire>>) -> bool {
        let Some(process) = self.processes[node as usize].as_mut() else {
            return false;
        };
        if !process.is_traced() {
            return false;
        }
        let mut lines = Vec::new();
        let settled = process.settle(&mut lines);
        let rests = matches!(settled, Ok(Idle::Reached));
        self.take_in(node, &lines, settled, out);
        if self.initialised[node as usize] || !rests {
            return true;
        }
        let Some(process) = self.processes[node as usize].as_mut() else {
            return false;
        };
        let Some(due) = process.due() else {
            return false;
        };
        process.pass_to(due);
        let fired = process.fire().map(|()| Idle::Reached);
        self.take_in(node, &[], fired, out);
        true
    }

    /// Tells a node whose clock is ours the present moment.
    pub(super) fn tell_time(&mut self, node: u32) {
        if let Some(time) = &self.virtual_time
            && let Some(process) = self.processes[node as usize].as_mut()
        {
            process.pass_to(time.now);
        }
    }

    /// A node may have taken time.
    pub(super) fn hear_time(&mut self, node: u32) {
        if let Some(time) = &mut self.virtual_time
            && let Some(process) = &self.processes[node as usize]
        {
            time.now = time.now.max(process.time().unwrap_or_default());
            time.note(process.leaks());
        }
    }

    pub(super) fn fail_silent(&mut self, node: u32) {
        let patience = self.program.start_patience;
        let what = format!("no answer to its init came within {patience:?}");
        self.fail_mute(
            FailureKind::Silence,
            node,
            &what,
            "it should answer init with init_ok",
        );
    }

    /// Tells that a node says nothing, and whether it would have at its end.
    pub(super) fn fail_mute(&mut self, kind: FailureKind, node: u32, what: &str, duty: &str) {
        let mut lines = Vec::new();
        if let Some(mut process) = self.processes[node as usize].take() {
            process.stop(LAST_WORDS, &mut lines);
        }
        let failure = mute(kind, self.names[node as usize].as_str(), what, duty, &lines);
        self.failure.get_or_insert(failure);
    }

    /// Takes in what nodes have written so far, without waiting.
    pub(super) fn collect(&mut self, all: &mut Vec<(u32, Output<Wire>)>) {
        let mut lines = Vec::new();
        let mut out = Vec::new();
        for node in 0..u32::try_from(self.processes.len()).unwrap_or(0) {
            let Some(process) = self.processes[node as usize].as_mut() else {
                continue;
            };
            let result = process.collect(&mut lines).map(|()| Idle::Reached);
            self.take_in(node, &lines, result, &mut out);
            self.welcome(node);
            all.extend(out.drain(..).map(|output| (node, output)));
            lines.clear();
        }
    }

    /// Hands a node that has answered its `init` what came for it meanwhile.
    pub(super) fn welcome(&mut self, node: u32) {
        let Some(starting) = &self.starting[node as usize] else {
            return;
        };
        if !self.initialised[node as usize] {
            if now() >= starting.deadline {
                self.fail_silent(node);
            }
            return;
        }
        let held = self.starting[node as usize].take();
        for line in held.into_iter().flat_map(|starting| starting.held) {
            // In real time nothing is written at once.
            self.hand_over(node, &line, &mut Vec::new());
        }
    }

    /// Lets real time pass at a node, and adds what it wrote.
    pub(super) fn let_time_pass(
        &mut self,
        node: u32,
        span: Duration,
        all: &mut Vec<(u32, Output<Wire>)>,
    ) {
        let Some(process) = self.processes[node as usize].as_mut() else {
            return;
        };
        let mut lines = Vec::new();
        let result = process.wait(span, &mut lines);
        let mut out = Vec::new();
        self.route_written(node, &lines, result.is_err(), &mut out);
        if matches!(result, Ok(Waited::Wrote | Waited::Silent)) {
            self.take_rest(node, !self.real_time, &mut out);
        }
        all.extend(out.into_iter().map(|output| (node, output)));
        if let Err(error) = result {
            self.fail_process(&error);
        }
    }

    /// Lets a node die so when it is about to change a file for the n-th time; `None`: not any more. False
    /// where that cannot be done.
    pub(super) fn let_die_at(&mut self, node: u32, at: Option<(u32, Death)>) -> bool {
        if let Some((_, death)) = at {
            self.deaths[node as usize] = death;
        }
        let process = self.processes[node as usize].as_mut();
        // One that is down already does nothing.
        process.is_none_or(|process| process.doom(at.map(|(deeds, _)| deeds)))
    }

    /// Kills a node, if it has not died by itself, and lets its files lose what a loss of power takes.
    /// Returns how many were set back; `None` where its machine goes on, or it is not known.
    pub(super) fn die(&mut self, node: u32, death: Death) -> Option<u64> {
        let process = self.processes[node as usize].take();
        self.forget(node);
        let mut process = process?;
        process.kill();
        let Death::PowerLoss { keeps_names } = death else {
            // What it had on disk by then is its own affair.
            return None;
        };
        match process.lose_power(keeps_names) {
            Ok(set_back) => set_back,
            Err(error) => {
                self.fail_process(&error);
                None
            }
        }
    }

    /// A node is gone: nobody is left to answer what it was asked.
    pub(super) fn forget(&mut self, node: u32) {
        self.starting[node as usize] = None;
        for (request, asked) in &mut self.asked {
            if asked.node == Some(node) {
                asked.waited = true;
                if let Some(open) = self.open.get_mut(&asked.client) {
                    open.retain(|open| open != request);
                }
            }
        }
    }

    /// A node had to be killed after its input had ended.
    pub(super) fn note_staying(&mut self, name: &str) {
        let deviation = Deviation::StaysAlive;
        self.tolerated.note(deviation, || name.to_owned());
        if self.program.strict {
            let what = "it went on running after its input had ended, which --strict forbids";
            let failure = NodeFailure::new(FailureKind::Output, name, what, deviation.remedy());
            self.failure.get_or_insert(failure);
        }
    }
}
