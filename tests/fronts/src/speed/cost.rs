//! What processes have used, as the kernel counts it.

use std::fs;

/// Seconds on a processor, of all threads of these processes. Threads that ended are not in it.
pub(super) fn cpu_s(processes: &[u32]) -> f64 {
    let mut nanoseconds = 0.0;
    for process in processes {
        let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { continue };
        for task in tasks.filter_map(Result::ok) {
            let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            nanoseconds += text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0);
        }
    }
    nanoseconds / 1e9
}

/// Kilobytes of memory of these processes, what they share with others in shares.
pub(super) fn memory_kb(processes: &[u32]) -> f64 {
    let of = |process: &u32| {
        let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0.0)
    };
    processes.iter().map(of).sum()
}
