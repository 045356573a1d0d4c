//! `--runs`: one number for all stores, or all rungs of a program's ladder, or one for each.

use super::Failure;

/// How many runs the command line asks for of the store, or on the rung, at this position: the last
/// number stands for all that follow.
pub(super) fn asked(given: &[u64], position: usize) -> Option<u64> {
    given.get(position).or(given.last()).copied()
}

/// No more numbers may be given than there are stores or rungs.
pub(super) fn check<T: ToString>(
    given: &[u64],
    what: &str,
    names: impl IntoIterator<Item = T>,
) -> Result<(), Failure> {
    let names = names.into_iter().map(|name| name.to_string());
    let names: Vec<String> = names.collect();
    let (asked, all) = (given.len(), names.len());
    if asked <= all {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "--runs gives {asked} numbers, and there are {all} {what} ({}): give one for all, or one \
         for each",
        names.join(", ")
    )))
}

/// How many runs there were, as `--runs` takes it: those that were not reached are left out, and the
/// last number stands for equal ones after it.
pub(super) fn flag(runs: impl IntoIterator<Item = u64>) -> String {
    let reached = runs.into_iter().take_while(|runs| *runs > 0);
    let mut runs: Vec<u64> = reached.collect();
    while let [.., last, again] = runs[..]
        && last == again
    {
        runs.pop();
    }
    let runs: Vec<String> = runs.iter().map(ToString::to_string).collect();
    runs.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_told_up_to_the_last_that_was_reached() {
        assert_eq!(flag([30, 20, 20]), "30,20");
        assert_eq!(flag([3, 3, 3]), "3");
        assert_eq!(flag([30, 0, 0]), "30");
        assert_eq!(flag([4, 5, 4]), "4,5,4");
        for (position, runs) in [30, 20, 20].into_iter().enumerate() {
            assert_eq!(asked(&[30, 20], position), Some(runs));
        }
    }
}
