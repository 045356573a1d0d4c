//! From what a node wrote to messages on their way: to clients, or to nodes without looking into
//! them.

use std::sync::{Arc, atomic::Ordering};

use serde_json::{Map, Value as Json};
use sibcheck_checkers::{history::Operation, outside::Outside};

use crate::{
    protocol::{ErrorCode, SERVICES},
    simulation::Address,
    workloads::{Speaker as _, Workload},
};

use super::{
    Deviation, External, FailureKind, INITIATOR, Output, STDOUT_IS_FOR_MESSAGES, Wire, deviations,
    intake::{Garbage, Taken},
    program::{BadLine, NodeFailure},
    speech,
};
use crate::nodes::process::Line;

/// What a silent node is told.
const DUTY: &str = "it should answer every request";

/// The body of a message.
type Body = Map<String, Json>;

/// Requests after which a program that has never answered any is said to be mute.
pub(super) const MUTE: u32 = 5;

impl<W: Workload> External<'_, W> {
    /// Routes what a node wrote. `ended` tells that it is dead: the beginning of a line that it left
    /// says less than its death.
    pub(super) fn route_written(
        &mut self,
        node: u32,
        lines: &[Line],
        ended: bool,
        out: &mut Vec<Output<Wire>>,
    ) {
        let lines = match lines {
            [before @ .., last]
                if ended && !last.ended && speech::objects(&last.bytes).is_err() =>
            {
                before
            }
            all => all,
        };
        self.route_all(node, lines, out);
    }

    fn route_all(&mut self, node: u32, lines: &[Line], out: &mut Vec<Output<Wire>>) {
        for line in lines {
            self.route(node, line, out);
        }
    }

    /// The node rests: takes a message that no line feed ended, and tells of one that was begun and
    /// will not be ended. While a node may still be writing, neither can be said.
    pub(super) fn take_rest(&mut self, node: u32, rests: bool, out: &mut Vec<Output<Wire>>) {
        let Some(process) = self.processes[node as usize].as_mut() else {
            return;
        };
        if !rests {
            return;
        }
        let begun = self.intakes[node as usize].has_begun();
        let unfinished = process.unfinished();
        let complete = || speech::objects(unfinished).is_ok_and(|objects| !objects.is_empty());
        if !unfinished.is_empty() && (begun || complete()) {
            let mut lines = Vec::new();
            process.take_unfinished(&mut lines);
            self.route_all(node, &lines, out);
        }
        if let Some(garbage) = self.intakes[node as usize].rest() {
            self.garbage(node, &garbage);
        }
    }

    fn route(&mut self, node: u32, line: &Line, out: &mut Vec<Output<Wire>>) {
        let mut taken = match self.intakes[node as usize].push(line) {
            Ok(Some(taken)) => taken,
            Ok(None) => return,
            Err(garbage) => return self.garbage(node, &garbage),
        };
        let objects = std::mem::take(&mut taken.objects);
        let alone = objects.len() == 1 && !taken.split;
        for (deviation, found) in [
            (Deviation::NoLineEnd, !line.ended),
            (Deviation::SplitLines, taken.split),
            (Deviation::MergedLines, objects.len() > 1),
        ] {
            if found {
                self.deviation(node, deviation, &taken);
            }
        }
        for object in objects {
            self.route_message(node, object, alone, &taken, out);
        }
    }

    fn route_message(
        &mut self,
        node: u32,
        mut object: Body,
        alone: bool,
        taken: &Taken,
        out: &mut Vec<Output<Wire>>,
    ) {
        let to = match object.get("dest") {
            Some(Json::String(to)) => to.clone(),
            None | Some(Json::Null) => return self.route_unaddressed(node, object, taken, out),
            Some(_) => return self.misaddressed(node, taken),
        };
        let peer = self.names.iter().position(|name| name.as_str() == to);
        self.check_sender(node, object.get("src"), peer.is_some(), taken);
        if let Some(peer) = peer {
            if !self.initialised[node as usize] {
                self.deviation(node, Deviation::EarlyTalk, taken);
            }
            let line = if alone {
                taken.text.as_str().into()
            } else {
                Json::Object(object).to_string().into()
            };
            let peer = u32::try_from(peer).unwrap_or(u32::MAX);
            out.push(Output::Send(Address::Node(peer), Wire::Line(line)));
            return;
        }
        let Some(Json::Object(body)) = object.remove("body") else {
            let why = "it has no \"body\" that is an object";
            return self.no_message(node, taken, why);
        };
        if to == INITIATOR {
            self.answer_to_init(node, &body, taken);
        } else if let Some(&client) = self.clients.get(to.as_str()) {
            self.route_answer(node, client, body, taken, out);
        } else if let Some(request) = self.named_request(&body)
            && to.starts_with('c')
        {
            self.wrong_client(node, &to, request, taken);
        } else if SERVICES.contains(&to.as_str()) {
            let what =
                format!("it writes to Maelstrom's service {to}, and there are no services yet");
            let remedy =
                "a node has only its peers and its own folder here, so keep the state there";
            self.fail(FailureKind::Service, node, &what, remedy);
        } else {
            self.deviation(node, Deviation::NoReceiver, taken);
        }
    }

    /// A message without a receiver: an answer tells by its `in_reply_to` whose it is.
    fn route_unaddressed(
        &mut self,
        node: u32,
        mut object: Body,
        taken: &Taken,
        out: &mut Vec<Output<Wire>>,
    ) {
        let addressed_to_null = object.contains_key("dest");
        let body = match object.remove("body") {
            Some(Json::Object(body)) => body,
            None if object.contains_key("type") => object,
            _ => return self.misaddressed(node, taken),
        };
        if !self.initialised[node as usize] && body.get("type") == Some(&"init_ok".into()) {
            self.deviation(node, Deviation::NoEnvelope, taken);
            return self.answer_to_init(node, &body, taken);
        }
        let asked = self
            .named_request(&body)
            .and_then(|request| self.asked.get(&request))
            .filter(|asked| !asked.answered && asked.node.is_some());
        if let Some(client) = asked.map(|asked| asked.client) {
            self.deviation(node, Deviation::NoEnvelope, taken);
            self.route_answer(node, client, body, taken, out);
        } else if addressed_to_null {
            self.deviation(node, Deviation::NoReceiver, taken);
        } else {
            self.misaddressed(node, taken);
        }
    }

    /// Clients are spoken for by nodes that forward their requests; nodes speak for themselves.
    fn check_sender(&mut self, node: u32, src: Option<&Json>, to_peer: bool, taken: &Taken) {
        let honest = src.and_then(Json::as_str).is_some_and(|src| {
            self.names[node as usize] == src || (to_peer && self.clients.contains_key(src))
        });
        if !honest {
            self.deviation(node, Deviation::ForeignSender, taken);
        }
    }

    fn answer_to_init(&mut self, node: u32, body: &Body, taken: &Taken) {
        self.check_types(node, body, taken);
        if body.get("type") == Some(&"error".into()) {
            return self.fail_at(
                node,
                (taken.number, &taken.text),
                "refuses its init",
                "an init_ok",
                "take whatever node_id and node_ids come; if names are built in, see --node-names",
            );
        }
        if std::mem::replace(&mut self.initialised[node as usize], true) {
            self.deviation(node, Deviation::Repeated, taken);
        }
    }

    fn route_answer(
        &mut self,
        node: u32,
        client: u32,
        body: Body,
        taken: &Taken,
        out: &mut Vec<Output<Wire>>,
    ) {
        self.check_types(node, &body, taken);
        let request = if speech::id(&body, "in_reply_to").is_some() {
            match self.named_request(&body) {
                Some(request) if self.asked[&request].client == client => request,
                Some(request) => {
                    let to = self.client_name(client);
                    return self.wrong_client(node, &to, request, taken);
                }
                None => return self.deviation(node, Deviation::Unasked, taken),
            }
        } else {
            self.deviation(node, Deviation::NoReplyTo, taken);
            // With more than one there would be guessing, and a wrong guess would accuse the store.
            match self.open.get(&client).map(Vec::as_slice) {
                Some([only]) => *only,
                _ => return self.deviation(node, Deviation::Unasked, taken),
            }
        };
        let Some(asked) = self.asked.get_mut(&request) else {
            return;
        };
        let repeated = asked.answered && asked.node == Some(node);
        asked.answered = true;
        if let Some(asked_at) = asked.node {
            self.in_vain[asked_at as usize] = 0;
        }
        if let Some(open) = self.open.get_mut(&client) {
            open.retain(|open| *open != request);
        }
        self.tolerated.answers.store(true, Ordering::Relaxed);
        if repeated {
            self.deviation(node, Deviation::Repeated, taken);
        }
        let answer = Wire::Answer {
            node,
            request,
            body: Arc::new(body),
        };
        out.push(Output::Send(Address::Client(client), answer));
    }

    /// The request of a client that `in_reply_to` names, if there was one.
    fn named_request(&self, body: &Body) -> Option<u32> {
        let request = u32::try_from(speech::id(body, "in_reply_to")? - 1).ok()?;
        self.asked.contains_key(&request).then_some(request)
    }

    /// Notes what is loose about an answer that is understood all the same.
    fn check_types(&mut self, node: u32, body: &Body, taken: &Taken) {
        let kind = body.get("type").and_then(Json::as_str).unwrap_or("");
        let value_field = self.speaker.value_field().unwrap_or("value").to_owned();
        let is_null_list = |body: &Body| {
            let may_be_null = [
                value_field.as_str(),
                "value",
                "text",
                "msg_id",
                "in_reply_to",
                "code",
                "key",
                "type",
            ];
            body.iter()
                .any(|(name, value)| value.is_null() && !may_be_null.contains(&name.as_str()))
        };
        let values = body.get("values").and_then(Json::as_array);
        let null_inside = values.is_some_and(|values| {
            values
                .iter()
                .any(|value| value.as_object().is_some_and(is_null_list))
        });
        let loose_id = match body.get("in_reply_to") {
            Some(Json::Number(number)) => !number.is_u64(),
            Some(Json::String(_)) => true,
            _ => false,
        };
        let loose_code = kind == "error" && ErrorCode::of(body).is_none();
        for (deviation, found) in [
            (Deviation::NoType, kind.is_empty()),
            (Deviation::LooseId, loose_id),
            (Deviation::LooseErrorCode, loose_code),
            (Deviation::NullForEmpty, is_null_list(body) || null_inside),
        ] {
            if found {
                self.deviation(node, deviation, taken);
            }
        }
    }

    /// A client gave up on a request that this node has.
    pub(super) fn note_silence(&mut self, request: u32, node: u32) {
        let asked = self.asked.get(&request);
        if self.failure.is_some() || asked.is_none_or(|asked| asked.answered) {
            return;
        }
        self.in_vain[node as usize] += 1;
        let name = &self.names[node as usize];
        let patience = self.program.patience;
        self.tolerated.note(Deviation::Silence, || {
            format!("{name}, msg_id {}, after {patience:?}", request + 1)
        });
        // Without a quorum a store has to be silent; its final reads are looked at in any case.
        let never = !self.tolerated.answers.load(Ordering::Relaxed);
        let in_vain: u32 = self.in_vain.iter().sum();
        if never && self.mute_after.is_some_and(|most| in_vain >= most) {
            let what = format!("none of its first {in_vain} requests was answered");
            self.fail_mute(FailureKind::Mute, node, &what, DUTY);
        }
    }

    /// Whether a node let all final reads wait in vain, when all faults had healed: such a run could
    /// hide anything. The final reads are those from the `first` on.
    pub fn check_final_reads(&mut self, operations: &[Operation<W::Object>], first: usize) {
        for node in 0..u32::try_from(self.names.len()).unwrap_or(u32::MAX) {
            let mut final_reads = (0..)
                .zip(operations)
                .skip(first)
                .filter(|(_, operation)| operation.node == node)
                .filter_map(|(op, _)| self.asked.get(&op))
                .peekable();
            if final_reads.peek().is_some()
                && final_reads.all(|asked| !asked.answered && asked.node.is_some())
                && self.failure.is_none()
            {
                let what = "it answered no read after all faults had healed";
                self.fail_mute(FailureKind::Silence, node, what, DUTY);
            }
        }
    }

    fn deviation(&mut self, node: u32, deviation: Deviation, taken: &Taken) {
        let name = &self.names[node as usize];
        self.tolerated.note(deviation, || {
            let text = deviations::cut(&taken.text);
            format!("{name} line {}: {text}", taken.number)
        });
        if self.program.strict && deviation.fails_when_strict() {
            let what = format!("would be tolerated without --strict: {}", deviation.name());
            let expected = self.envelope(node);
            self.fail_at(
                node,
                (taken.number, &taken.text),
                &what,
                &expected,
                deviation.remedy(),
            );
        }
    }

    fn wrong_client(&mut self, node: u32, to: &str, request: u32, taken: &Taken) {
        let by = self.client_name(self.asked[&request].client);
        let to = Outside(to);
        let id = request + 1;
        let what = format!("answers the wrong client: msg_id {id} was asked by {by}, not by {to}");
        self.fail_at(
            node,
            (taken.number, &taken.text),
            &what,
            &format!("\"dest\":\"{by}\" with \"in_reply_to\":{id}"),
            "send an answer to the src of its request, with its msg_id in in_reply_to",
        );
    }

    fn client_name(&self, client: u32) -> String {
        let named = self.clients.iter().find(|(_, known)| **known == client);
        named.map_or_else(String::new, |(name, _)| Outside(name).to_string())
    }

    fn misaddressed(&mut self, node: u32, taken: &Taken) {
        self.no_message(node, taken, "it has no \"dest\" that is a string");
    }

    fn no_message(&mut self, node: u32, taken: &Taken, why: &str) {
        let garbage = Garbage {
            number: taken.number,
            text: taken.text.clone(),
            why: why.to_owned(),
        };
        self.garbage(node, &garbage);
    }

    fn garbage(&mut self, node: u32, garbage: &Garbage) {
        let what = format!("is not a message: {}", garbage.why);
        let expected = self.envelope(node);
        self.fail_at(
            node,
            (garbage.number, &garbage.text),
            &what,
            &expected,
            STDOUT_IS_FOR_MESSAGES,
        );
    }

    fn envelope(&self, node: u32) -> String {
        let name = &self.names[node as usize];
        format!("{{\"src\":\"{name}\",\"dest\":\"…\",\"body\":{{\"type\":\"…\",…}}}}")
    }

    /// Fails with a line of the node's output.
    fn fail_at(
        &mut self,
        node: u32,
        (number, text): (u64, &str),
        what: &str,
        expected: &str,
        remedy: &str,
    ) {
        let failure = NodeFailure::of_line(&BadLine {
            node: self.names[node as usize].as_str(),
            number,
            what,
            text,
            expected,
            remedy,
        });
        self.failure.get_or_insert(failure);
    }
}
