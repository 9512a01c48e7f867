//! The published KMIP test cases: read, run over any wire, compared with what they expect.
//!
//! It knows a server by its answers alone and uses nothing of our own server, so that it can judge any. [`case`] reads,
//! `placeholder` binds, `presupposed` prepares, `compare` judges by the tables of `permitted`, [`judge`] runs, [`report`] counts. Who calls brings
//! the [`Wire`]: a connection to a server, or the decision itself with no server around it.

pub mod case;
mod compare;
mod errata;
pub mod filter;
pub mod judge;
mod permitted;
mod placeholder;
mod presupposed;
pub mod report;

pub use case::{Case, Encoding, Plan};
pub use compare::Difference;
pub use judge::{Leftovers, UNHEARD, Wire};
pub use report::{Report, Row};

use std::time::Instant;

/// Runs cases one after the other, and takes away what those of a family left once the last of them is through.
///
/// `clean`: before each case, objects that bear a name which it gives are destroyed, as an interrupted run left them.
/// `show`: rows carry their messages, key material masked. `now` tells the seconds since 1970; `begins` is told of each
/// case.
pub async fn run(
    cases: &[Case],
    wire: &mut impl Wire,
    (clean, show): (bool, bool),
    now: impl Fn() -> i64,
    mut begins: impl FnMut(&Case),
) -> Vec<Row> {
    let mut rows = Vec::with_capacity(cases.len());
    let mut leftovers = Leftovers::default();
    for (at, case) in cases.iter().enumerate() {
        begins(case);
        rows.push(one(case, wire, (clean, show), &mut leftovers, &now).await);
        if cases.get(at + 1).is_none_or(|next| !case.leads_to(next)) {
            std::mem::take(&mut leftovers).destroy(case.version, wire).await;
        }
    }
    rows
}

async fn one(
    case: &Case,
    wire: &mut impl Wire,
    (clean, show): (bool, bool),
    leftovers: &mut Leftovers,
    now: &impl Fn() -> i64,
) -> Row {
    let exchanges = match &case.plan {
        Plan::Run(exchanges) => exchanges,
        Plan::Skip(reason) => {
            return Row::new(case, report::Outcome::Skipped { reason: reason.clone() }, 0, 0);
        }
    };
    if let Err(reason) = wire.begin(case) {
        return Row::new(case, report::Outcome::Skipped { reason }, 0, 0);
    }
    if clean {
        Leftovers::of_names(case.version, exchanges, wire).await.destroy(case.version, wire).await;
    }
    leftovers.presuppose(&case.name, case.version, wire).await;
    let started = Instant::now();
    let verdict = judge::run(case.version, exchanges, wire, leftovers, now()).await;
    let milliseconds = started.elapsed().as_millis();
    let outcome = match verdict.difference {
        None => report::Outcome::Passed,
        Some(difference) => report::Outcome::Failed { difference },
    };
    let row = Row::new(case, outcome, verdict.steps.len(), milliseconds);
    if show { row.showing(&verdict.steps) } else { row }
}
