//! The filter that stops a traced program in calls that read the clock, wait for a time, or ask for
//! randomness, and in no others.
//!
//! It is a program of the classic packet filter, which the kernel runs at every system call
//! (seccomp(2)). Calls that wait are let through where they wait without a limit or not at all: that is
//! most of them, and they cost nothing then.

use super::{
    syncs::SYNCS,
    x86_64::{ARCHITECTURE, DEEDS, FUTEX_WAITS, TRACED},
};

/// When a call stops the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Always,
    /// This argument is a positive number of milliseconds, of 32 bits.
    Millis(u32),
    /// This argument is no null pointer.
    Pointer(u32),
    /// The same of a futex call which waits.
    FutexWait(u32),
    /// This argument is a descriptor above those of stdin, stdout and stderr.
    AboveStandard(u32),
}

/// One instruction, as the kernel takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instruction {
    code: u16,
    jump_true: u8,
    jump_false: u8,
    operand: u32,
}

const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const JUMP_SET: u16 = 0x45;
const RETURN: u16 = 0x06;

const ALLOW: u32 = 0x7fff_0000;
const TRACE: u32 = 0x7ff0_0000;

/// What a stop is marked with where the call is one for another processor, of 32 bits.
pub(super) const OTHER_CALLS: u16 = 0x3232;

/// Where the kernel shows the call's number, the architecture, and its arguments (`seccomp_data`).
const NUMBER: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
const ARGUMENTS: u32 = 16;

fn statement(code: u16, operand: u32) -> Instruction {
    jump(code, operand, 0, 0)
}

fn jump(code: u16, operand: u32, jump_true: u8, jump_false: u8) -> Instruction {
    Instruction {
        code,
        jump_true,
        jump_false,
        operand,
    }
}

fn low(argument: u32) -> Instruction {
    statement(LOAD, ARGUMENTS + 8 * argument)
}

fn high(argument: u32) -> Instruction {
    statement(LOAD, ARGUMENTS + 8 * argument + 4)
}

/// The last two instructions of a block that traces, unless jumped over: allow, trace.
fn ends() -> [Instruction; 2] {
    [statement(RETURN, ALLOW), statement(RETURN, TRACE)]
}

/// What is asked of one call, once its number is known.
fn block(when: When) -> Vec<Instruction> {
    let mut block = Vec::new();
    let pointer = |block: &mut Vec<Instruction>, argument| {
        block.extend([
            low(argument),
            jump(JUMP_EQUAL, 0, 0, 3),
            high(argument),
            jump(JUMP_EQUAL, 0, 0, 1),
        ]);
        block.extend(ends());
    };
    match when {
        When::Always => block.push(statement(RETURN, TRACE)),
        When::Millis(argument) => {
            block.extend([
                low(argument),
                jump(JUMP_EQUAL, 0, 1, 0),
                jump(JUMP_SET, 1 << 31, 0, 1),
            ]);
            block.extend(ends());
        }
        When::Pointer(argument) => pointer(&mut block, argument),
        When::AboveStandard(argument) => {
            block.extend([low(argument), jump(JUMP_GREATER, 2, 1, 0)]);
            block.extend(ends());
        }
        When::FutexWait(argument) => {
            block.extend([low(1), statement(AND, 0x7f)]);
            let operations = u8::try_from(FUTEX_WAITS.len()).unwrap_or(u8::MAX);
            for (left, operation) in (0..operations).rev().zip(FUTEX_WAITS) {
                // Over the rest of them, and over the return.
                block.push(jump(JUMP_EQUAL, operation, left + 1, 0));
            }
            block.push(statement(RETURN, ALLOW));
            pointer(&mut block, argument);
        }
    }
    block
}

fn program(deeds: bool, syncs: bool) -> Vec<Instruction> {
    let mut program = vec![
        statement(LOAD, ARCHITECTURE_AT),
        // Calls of 32 bits are done as they are, and told.
        jump(JUMP_EQUAL, ARCHITECTURE, 1, 0),
        statement(RETURN, TRACE | u32::from(OTHER_CALLS)),
        statement(LOAD, NUMBER),
    ];
    let deeds = DEEDS.into_iter().filter(|_| deeds || syncs);
    let syncs = SYNCS.into_iter().filter(|_| syncs);
    for (number, when) in TRACED.into_iter().chain(deeds).chain(syncs) {
        let block = block(when);
        let length = u8::try_from(block.len()).unwrap_or(u8::MAX);
        program.push(jump(JUMP_EQUAL, number, 0, length));
        program.extend(block);
    }
    program.push(statement(RETURN, ALLOW));
    program
}

/// The filter as it lies in memory: how many instructions, and their bytes. With `deeds` it stops the
/// program before it changes a file, too; with `syncs` also in all that matters to storage.
pub(super) fn bytes(deeds: bool, syncs: bool) -> (u16, Vec<u8>) {
    let program = program(deeds, syncs);
    let count = u16::try_from(program.len()).unwrap_or(u16::MAX);
    let bytes = program.iter().flat_map(|instruction| {
        let [code, operand] = [
            u64::from(instruction.code) | u64::from(instruction.jump_true) << 16,
            u64::from(instruction.operand),
        ];
        let word = code | u64::from(instruction.jump_false) << 24 | operand << 32;
        word.to_le_bytes()
    });
    (count, bytes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the filter as the kernel does.
    fn traced(number: u32, arguments: [u64; 6]) -> bool {
        let program = program(true, true);
        let (mut at, mut accumulator) = (0, 0_u32);
        loop {
            let instruction = program[at];
            at += 1;
            let jump = |condition: bool| {
                usize::from(if condition {
                    instruction.jump_true
                } else {
                    instruction.jump_false
                })
            };
            match instruction.code {
                LOAD => {
                    accumulator = match instruction.operand {
                        NUMBER => number,
                        ARCHITECTURE_AT => ARCHITECTURE,
                        offset => {
                            let argument = arguments[(offset - ARGUMENTS) as usize / 8];
                            let half = argument >> (8 * (offset % 8));
                            u32::try_from(half & u64::from(u32::MAX)).unwrap()
                        }
                    }
                }
                AND => accumulator &= instruction.operand,
                JUMP_EQUAL => at += jump(accumulator == instruction.operand),
                JUMP_GREATER => at += jump(accumulator > instruction.operand),
                JUMP_SET => at += jump(accumulator & instruction.operand != 0),
                RETURN => return instruction.operand == TRACE,
                code => panic!("no such instruction: {code:#x}"),
            }
        }
    }

    #[test]
    fn waits_stop_only_where_they_have_a_limit() {
        use super::super::x86_64::*;
        let at = |argument: usize, value: u64| {
            let mut arguments = [7; 6];
            arguments[argument] = value;
            arguments
        };
        for (limit, stops) in [
            (0, false),
            (u64::MAX, false),
            (0xffff_ffff, false),
            (1, true),
        ] {
            assert_eq!(traced(EPOLL_WAIT, at(3, limit)), stops, "{limit}");
            assert_eq!(traced(POLL, at(2, limit)), stops, "{limit}");
        }
        for (pointer, stops) in [(0, false), (1, true), (1 << 32, true), (u64::MAX, true)] {
            assert_eq!(traced(PPOLL, at(2, pointer)), stops, "{pointer:#x}");
            assert_eq!(traced(PSELECT6, at(4, pointer)), stops, "{pointer:#x}");
            for (operation, waits) in [(0, true), (1, false), (9, true), (6, true), (5, false)] {
                for flags in [0, 128, 256, 384] {
                    let mut arguments = at(3, pointer);
                    arguments[1] = operation | flags;
                    assert_eq!(traced(FUTEX, arguments), stops && waits);
                }
            }
        }
        assert!(traced(CLOCK_GETTIME, [0; 6]) && traced(GETRANDOM, [0; 6]));
        // read, write to stdout, close, mmap.
        assert!([0, 1, 3, 9].iter().all(|number| !traced(*number, [1; 6])));
        // write to a file, fsync, rename.
        assert!(
            [1, 74, 82, 162]
                .iter()
                .all(|number| traced(*number, [3; 6]))
        );
    }
}
