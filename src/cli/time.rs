//! Whose time passes for a program: as asked for, or as it needs.

use std::{fmt, str::FromStr};

use crate::{
    nodes::{
        external::{PERIODS, Program, period},
        process::nanos,
    },
    plans::{Shape, Time},
    simulation::Nanos,
};

use super::Failure;

/// What is given for `auto`.
const AUTO: &str = "auto";

/// A kind of time on the command line; none for what the program needs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GivenTime(pub(super) Option<Time>);

impl fmt::Display for GivenTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.map_or(AUTO, Time::name))
    }
}

impl FromStr for GivenTime {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        if given == AUTO {
            return Ok(Self(None));
        }
        let known =
            |_| format!("there is no {given:?} time; it is auto, lockstep, virtual or real");
        given.parse().map(|time| Self(Some(time))).map_err(known)
    }
}

/// How often nodes do something by themselves, on the command line.
#[derive(Clone, Copy, Debug)]
pub(super) struct GivenPeriod(pub(super) Nanos);

impl FromStr for GivenPeriod {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        let span = given
            .parse::<humantime::Duration>()
            .map_err(|error| error.to_string())?;
        let period = Nanos(nanos(*span));
        let [shortest, longest] = PERIODS;
        if period < shortest || period > longest {
            return Err("it is from 1ms to 30s".to_owned());
        }
        Ok(Self(period))
    }
}

/// Settles which time the runs of a program go by, and finds out how often it acts by itself unless that
/// was given. Returns why virtual time cannot be had where it would be wanted, if so.
///
/// # Errors
///
/// When something is to go wrong that only can in virtual time, which cannot be had.
pub(super) fn settle(
    program: &Program,
    asked: GivenTime,
    shape: &mut Shape,
) -> Result<Option<String>, Failure> {
    let needy = shape.faults.iter().copied();
    let needy = needy.filter_map(|fault| Some((fault.name(), fault.in_virtual_time()?)));
    let needy: Vec<_> = needy.collect();
    let needs_it = !needy.is_empty();
    let cannot = |why: &str| {
        let names: Vec<_> = needy.iter().map(|(name, _)| *name).collect();
        let what: Vec<_> = needy.iter().map(|(_, what)| *what).collect();
        Failure::usage(format!(
            "{} in virtual time only: {why}; leave {} out of --faults",
            what.join(" and "),
            names.join(" and ")
        ))
    };
    if let Some(time @ (Time::Lockstep | Time::Real)) = asked.0 {
        if needs_it {
            let why = format!("--time {} asks for another", time.name());
            return Err(cannot(&why));
        }
        return Ok(None);
    }
    if needs_it {
        shape.time = Time::Virtual;
    }
    if shape.period.is_some() && !needs_it {
        return Ok(None);
    }
    match period(program, shape.nodes) {
        Ok(found) => {
            shape.period = shape.period.or(found);
            if found.is_some() {
                shape.time = Time::Virtual;
            }
            Ok(None)
        }
        Err(why) if needs_it => Err(cannot(&why)),
        Err(why) => Ok(Some(why)),
    }
}
