//! Whether the operations of one key tell anything: reads that follow writes.

use crate::{
    history::{OpId, Status},
    provenance::{Kind, OpRecord},
    verdict::Reason,
};

/// True when two writes were over before the read at a place was invoked. O(operations before it).
pub(crate) fn follows_two_writes(ops: &[OpRecord], read: usize) -> bool {
    let is_write = |place: &usize| ops[*place].kind == Kind::Write;
    let writes = (0..read).filter(is_write);
    let mut followed = writes.filter(|write| ops[*write].precedes(&ops[read], true));
    followed.nth(1).is_some()
}

/// Why a lost update would not show: the first acknowledged write that none of the final reads at the
/// places `judged` followed, and which of those `left_out` did. O(operations · final reads), and
/// O(operations) where one of these follows all writes.
pub(crate) fn no_final_read(
    (ids, ops): (&[OpId], &[OpRecord]),
    judged: &[usize],
    left_out: &[usize],
) -> Option<Reason> {
    let last = judged.iter().map(|read| ops[*read].invoked).max();
    let after = |write: usize, reads: &[usize]| {
        let follows = |read: &&usize| ops[write].precedes(&ops[**read], write < **read);
        reads.iter().find(follows).map(|read| ids[*read])
    };
    let is_followed = |write: usize| Some(ops[write].over) < last || after(write, judged).is_some();
    let open = ops.iter().enumerate().find(|(place, op)| {
        op.kind == Kind::Write && op.status == Status::Ok && !is_followed(*place)
    });
    open.map(|(write, _)| Reason::NoFinalRead {
        write: ids[write],
        left_out: after(write, left_out),
    })
}
