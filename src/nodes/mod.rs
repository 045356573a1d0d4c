//! Who answers messages: a store in this process, or this program serving one on stdin/stdout.
//!
//! The runner drives any kind of node through [`Nodes`]. It never looks into a message: requests
//! are encoded and answers decoded by the nodes' side, and what nodes tell each other stays opaque.

mod data_folder;
pub mod external;
mod in_process;
pub mod process;
mod serve;
mod timers;

pub use data_folder::{DataFolder, FolderError, FolderFault};
pub(crate) use in_process::node_name;
pub use in_process::{InProcess, Packet, Serves};
pub use serve::{GROUP, ServeError, Server, serve};

use crate::{
    clocks::Actor,
    simulation::{Address, Death, Nanos},
    stores::Change,
    workloads::{Request, Siblings, Workload},
};

/// What a node wants done.
#[derive(Clone, Debug)]
pub enum Output<M> {
    /// Send a message.
    Send(Address, M),
    /// Call [`Nodes::timer`] with this number after this span.
    SetTimer(Nanos, u32),
}

/// Time that nodes get for what their own timers start.
#[derive(Clone, Debug)]
pub struct Grace<M> {
    /// What they did while it passed.
    pub outputs: Vec<(u32, Output<M>)>,
    /// How long the healed cluster is to be left alone beyond what the plan says.
    pub settle: Nanos,
}

/// The nodes of one run, addressed by position from 0.
pub trait Nodes<W: Workload = Siblings> {
    /// What travels over the network.
    type Message: Clone;

    /// Starts a node, for the first time or again after [`Nodes::crash`].
    fn start(&mut self, node: u32, out: &mut Vec<Output<Self::Message>>);

    /// Encodes a client's request.
    fn request(&mut self, request: Request<W>) -> Self::Message;

    /// The id of the request that a message is, if it is one.
    fn request_id(&self, message: &Self::Message) -> Option<u32>;

    /// Decodes a message that arrived at a client: the id of the request it answers, and the
    /// answer. `None` when it answers nothing.
    fn reply(&mut self, client: u32, message: Self::Message) -> Option<(u32, W::Reply)>;

    /// A message arrives at a node.
    fn deliver(
        &mut self,
        node: u32,
        from: Address,
        message: Self::Message,
        out: &mut Vec<Output<Self::Message>>,
    );

    /// True while nodes that get several messages at once have not come to rest since.
    fn are_busy(&self) -> bool {
        false
    }

    /// Everything for this moment was handed over: lets a node come to rest.
    fn rest(&mut self, _node: u32, _out: &mut Vec<Output<Self::Message>>) {}

    /// A timer of a node goes off.
    fn timer(&mut self, node: u32, timer: u32, out: &mut Vec<Output<Self::Message>>);

    /// A node dies with all that it had not synced. Returns how many records that were, where it is
    /// known.
    fn crash(&mut self, node: u32) -> Option<u64>;

    /// A node dies, and its machine loses power: see [`Death::PowerLoss`]. Returns how many files were set
    /// back, where it is known. Where nothing is known of files it is a crash.
    fn lose_power(&mut self, node: u32, _keeps_names: bool) -> Option<u64> {
        self.crash(node)
    }

    /// A node is to die so when it is about to change a file for the n-th time from now, before it does;
    /// `None`: not any more. False where that cannot be done.
    fn doom(&mut self, _node: u32, _at: Option<(u32, Death)>) -> bool {
        false
    }

    /// The nodes that died so since this was asked, and how many of their files were set back.
    fn take_fallen(&mut self) -> Vec<(u32, Option<u64>)> {
        Vec::new()
    }

    /// A node ends in good order: it loses nothing that it had accepted.
    fn stop(&mut self, node: u32, out: &mut Vec<Output<Self::Message>>);

    /// A node stands still until [`Nodes::resume`]; it gets no messages meanwhile.
    fn pause(&mut self, _node: u32) {}

    /// A node goes on.
    fn resume(&mut self, _node: u32, _out: &mut Vec<Output<Self::Message>>) {}

    /// A node's wall clock jumps, and its clocks run too fast by so many parts per million from now
    /// on, where they are the simulation's.
    fn change_clock(&mut self, _node: u32, _jump_ns: i64, _drift_ppm: i32) {}

    /// A node is told to leave the cluster, or to join it again.
    fn change_members(
        &mut self,
        _node: u32,
        _change: Change,
        _out: &mut Vec<Output<Self::Message>>,
    ) {
    }

    /// Whether a node has used its clock since this was asked, in a way in which a wrong clock shows.
    fn clock_was_used(&mut self, _node: u32) -> bool {
        false
    }

    /// How a message stands in the trace, as JSON.
    fn shown(&self, message: &Self::Message) -> String;

    /// What a node is called.
    fn name(&self, node: u32) -> Actor {
        node_name(node)
    }

    /// What is peculiar to clients of these nodes.
    fn behaviour(&self) -> W::Behaviour {
        W::Behaviour::default()
    }

    /// How often the mechanisms of the nodes were at work, by their names.
    fn situations(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// True when a node broke the protocol or died by itself: the run cannot go on.
    fn failed(&self) -> bool {
        false
    }

    /// True when the nodes may do something by themselves while real time passes.
    fn live_in_real_time(&self) -> bool {
        false
    }

    /// A client is about to give up waiting for this request. Nodes that live in real time may
    /// still be at work on it: lets some pass, and returns what they do meanwhile.
    fn await_answer(&mut self, _request: u32) -> Vec<(u32, Output<Self::Message>)> {
        Vec::new()
    }

    /// The final reads differ between nodes, and perhaps returned something else than the last time.
    /// Nodes that live in real time may have timers of their own: lets some pass, or tells how long
    /// to wait; `None` when waiting is useless.
    fn await_timers(&mut self, _changed: bool) -> Option<Grace<Self::Message>> {
        None
    }

    /// Every node has been started: the clients begin.
    fn begin(&mut self) {}

    /// The present moment of the simulation, told before anything is done at it.
    fn set_time(&mut self, _now: Nanos) {}

    /// The present moment as nodes whose clocks are the simulation's know it: later than they were
    /// told, when one waited by looking at its clock, or computed for long.
    fn time(&self) -> Option<Nanos> {
        None
    }

    /// When the first node does something by itself, and which, where their clocks are the simulation's.
    fn due(&self) -> Option<(Nanos, u32)> {
        None
    }

    /// Lets a node do what is due at the present moment.
    fn fire(&mut self, _node: u32, _out: &mut Vec<Output<Self::Message>>) {}

    /// The time since [`Nodes::begin`] on the wall's clock, when that is the time that passes.
    fn wall_time(&self) -> Option<Nanos> {
        None
    }

    /// Lets real time pass until nodes do something or the span is over, and returns what they do.
    fn listen(&mut self, _up_to: Nanos) -> Vec<(u32, Output<Self::Message>)> {
        Vec::new()
    }
}
