//! Plans for proptest: the same generator and the same shrinking.

use proptest::{
    prelude::Rng,
    strategy::{NewTree, Strategy, ValueTree},
    test_runner::TestRunner,
};

use super::{Plan, SeededChoices, Shape, Shrinker, Sighting, generate};

/// A proptest strategy for plans within a shape; see [`plans`].
#[derive(Clone, Debug)]
pub struct PlanStrategy {
    shape: Shape,
}

/// Plans within `shape`, for property tests. Failing plans shrink as those of `check` do.
pub fn plans(shape: Shape) -> PlanStrategy {
    PlanStrategy { shape }
}

impl Strategy for PlanStrategy {
    type Tree = PlanTree;
    type Value = Plan;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let seed = runner.rng().next_u64();
        let origin = format!("proptest, seed {seed}");
        let plan = generate(&self.shape, &mut SeededChoices::new(seed), origin);
        Ok(PlanTree {
            shrinker: Shrinker::new(plan, &Sighting::default()),
        })
    }
}

/// A plan on its way to a smaller one.
#[derive(Clone, Debug)]
pub struct PlanTree {
    shrinker: Shrinker,
}

impl ValueTree for PlanTree {
    type Value = Plan;

    fn current(&self) -> Plan {
        self.shrinker.current().clone()
    }

    fn simplify(&mut self) -> bool {
        // A property tells no more than that it failed.
        self.shrinker.accept(&Sighting::default());
        self.shrinker.propose().is_some()
    }

    fn complicate(&mut self) -> bool {
        self.shrinker.propose().is_some()
    }
}
