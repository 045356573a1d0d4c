//! Whose time passes for a program: as asked for, or as it needs.

use std::{fmt, str::FromStr};

use crate::{
    nodes::{
        external::{PERIODS, Program, period},
        process::nanos,
    },
    plans::{Shape, Time},
    simulation::{FaultName, Nanos},
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
/// When clocks are to be wrong that cannot be.
pub(super) fn settle(
    program: &Program,
    asked: GivenTime,
    shape: &mut Shape,
) -> Result<Option<String>, Failure> {
    let wrong_clocks = shape.faults.contains(&FaultName::Clock);
    let cannot = |why: &str| {
        let remedy = "leave clock out of --faults";
        Failure::usage(format!(
            "clocks can be wrong in virtual time only: {why}; {remedy}"
        ))
    };
    if let Some(time @ (Time::Lockstep | Time::Real)) = asked.0 {
        if wrong_clocks {
            let why = format!("--time {} asks for another", time.name());
            return Err(cannot(&why));
        }
        return Ok(None);
    }
    if wrong_clocks {
        shape.time = Time::Virtual;
    }
    if shape.period.is_some() && !wrong_clocks {
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
        Err(why) if wrong_clocks => Err(cannot(&why)),
        Err(why) => Ok(Some(why)),
    }
}
