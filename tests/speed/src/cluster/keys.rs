//! What many keys cost each node: memory, and time to start.

use super::kmip_load::Asker;
use super::load::Load;
use super::{CONNECTIONS, NODES, start};
use crate::measure::say;
use crate::table::{Row, Table};

/// The most that a start may take, s.
const START_S_MAX: f64 = 5.0;
/// The most memory of a node, MiB.
const MEMORY_MIB_MAX: f64 = 400.0;

/// Makes so many keys, and restarts each node.
pub(super) async fn measure(keys: usize, table: &mut Table) -> anyhow::Result<()> {
    let lab = start().await;
    say(&format!("{keys} keys"));
    Load::new(Asker::creates(&lab, CONNECTIONS).await?).times(keys).await?;
    let most_mib = || {
        let each = lab.nodes().iter().map(|node| node.resident_kb() as f64 / 1024.0);
        each.fold(0.0, f64::max)
    };
    let name = format!("memory after {keys} Creates, the most of {NODES} nodes");
    table.add(Row::less_is_better(&name, most_mib(), "MiB", Some(MEMORY_MIB_MAX)));
    let mut slowest = 0.0_f64;
    for node in lab.nodes() {
        slowest = slowest.max(node.restart().await.as_secs_f64());
    }
    let name = format!("start with {keys} keys until it serves, the slowest of {NODES} nodes");
    table.add(Row::less_is_better(&name, slowest, "s", Some(START_S_MAX)));
    let name = format!("memory, {keys} keys, started anew, the most of {NODES} nodes");
    table.add(Row::less_is_better(&name, most_mib(), "MiB", Some(MEMORY_MIB_MAX)));
    Ok(())
}
