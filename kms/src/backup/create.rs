//! `kms backup create`: what the node streams, in a file: under another name until all of it is on disk.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::admin::Admin;
use crate::node::Which;
use crate::print::{self, Format};
use crate::{Outcome, file, time};

/// Makes the backup and says where it is.
pub(super) async fn run(file: Option<PathBuf>, which: &Which, format: Format) -> anyhow::Result<Outcome> {
    let admin = which.admin()?;
    let path = match file {
        Some(path) => path,
        None => PathBuf::from(default_name(&admin.status().await?.node, time::now_s())),
    };
    let bytes = create(&admin, &path, format).await?;
    match format {
        Format::Json => {
            print::json(&serde_json::json!({ "file": std::path::absolute(&path)?, "bytes": bytes }))?;
        }
        Format::Table => {
            print::line(format!(
                "{} holds all keys, {bytes} bytes, sealed under the root key.",
                path.display()
            ));
            print::line(format!("Check it: kms backup verify {}", path.display()));
        }
    }
    Ok(Outcome::Done)
}

/// `kms-backup-node1-20260301T120000Z.backup`.
fn default_name(node: &str, now_s: i64) -> String {
    let utc: String = certs::utc_text(now_s).chars().filter(char::is_ascii_digit).collect();
    let (date, clock) = utc.split_at(utc.len().min(8));
    format!("kms-backup-{node}-{date}T{clock}Z.backup")
}

/// Streams a backup into a new file, and says how many bytes it has. Fails where one of this name is there.
async fn create(admin: &Admin, path: &Path, format: Format) -> anyhow::Result<u64> {
    if path.exists() {
        bail!("{} is there already and is kept. hint: choose another name", path.display());
    }
    let partial = Partial::new(path)?;
    // One that an interrupted command left is of no use: a backup that is not whole cannot be opened.
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(file::PRIVATE)
        .open(&partial.path)
        .with_context(|| format!("making {}", partial.path.display()))?;
    let mut download = admin.backup().await?;
    let bar = bar(download.bytes_left(), format);
    let mut bytes = 0_u64;
    loop {
        let piece = download.piece().await;
        let piece = piece
            .context("the node broke off before the backup was whole. hint: look at the server's log")?;
        let Some(piece) = piece else { break };
        file.write_all(&piece).with_context(|| format!("writing {}", partial.path.display()))?;
        bytes += piece.len() as u64;
        bar.set_position(bytes);
    }
    bar.finish_and_clear();
    if bytes == 0 {
        bail!("the node gave an empty backup. hint: look at the server's log");
    }
    file.sync_all().with_context(|| format!("syncing {}", partial.path.display()))?;
    partial.put(path)?;
    Ok(bytes)
}

/// A file that is not whole yet, and goes when it never gets there.
struct Partial {
    path: PathBuf,
}

impl Partial {
    fn new(path: &Path) -> anyhow::Result<Self> {
        let name = path.file_name().with_context(|| format!("{} has no file name", path.display()))?;
        let mut partial = name.to_owned();
        partial.push(".partial");
        Ok(Partial { path: path.with_file_name(partial) })
    }

    /// Gives it its name; a file that has got it meanwhile is kept.
    fn put(self, path: &Path) -> anyhow::Result<()> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        std::fs::hard_link(&self.path, path)
            .and_then(|()| std::fs::remove_file(&self.path))
            .and_then(|()| File::open(directory.unwrap_or(Path::new(".")))?.sync_all())
            .with_context(|| format!("putting {} in place", path.display()))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Gone already where it was put in place.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn bar(bytes: Option<u64>, format: Format) -> ProgressBar {
    if format == Format::Json {
        return ProgressBar::hidden();
    }
    let (bar, template) = match bytes {
        Some(bytes) => (ProgressBar::new(bytes), "{bar:40} {bytes} of {total_bytes}, {binary_bytes_per_sec}"),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes}, {binary_bytes_per_sec}"),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::admin::tests::node;

    fn files(dir: &Path) -> Vec<String> {
        let names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    #[tokio::test]
    async fn a_backup_is_its_owners_alone_and_whole_under_its_name() {
        let (_node, admin, task) = node(vec![(200, "sealed")]);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("monday.backup");
        assert_eq!(create(&admin, &path, Format::Json).await.unwrap(), 6);
        assert_eq!(std::fs::read(&path).unwrap(), b"sealed");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(files(dir.path()), ["monday.backup"]);
        assert_eq!(task.await.unwrap(), ["POST /v1/backup HTTP/1.1"]);
    }

    #[tokio::test]
    async fn a_backup_that_the_node_refuses_leaves_no_file() {
        let (_node, admin, _task) =
            node(vec![(503, r#"{"error":"the node is ending","hint":"ask another"}"#)]);
        let dir = tempfile::tempdir().unwrap();
        let error = create(&admin, &dir.path().join("x"), Format::Json).await.unwrap_err().to_string();
        assert_eq!(error, "the node is ending. hint: ask another");
        assert!(files(dir.path()).is_empty());
    }

    #[tokio::test]
    async fn a_backup_that_breaks_off_is_no_backup() {
        let (_node, admin) = crate::admin::tests::node_that_breaks_off();
        let dir = tempfile::tempdir().unwrap();
        let error = create(&admin, &dir.path().join("x"), Format::Json).await.unwrap_err().to_string();
        assert!(error.contains("broke off"), "{error}");
        assert!(files(dir.path()).is_empty());
    }

    #[tokio::test]
    async fn a_file_of_that_name_is_kept() {
        let (_node, admin, _task) = node(Vec::new());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, "older").unwrap();
        assert!(create(&admin, &path, Format::Json).await.unwrap_err().to_string().contains("is kept"));
        assert_eq!(std::fs::read(&path).unwrap(), b"older");
    }

    #[test]
    fn a_backup_is_named_for_node_and_time() {
        assert_eq!(default_name("node1", 1_772_366_400), "kms-backup-node1-20260301T120000Z.backup");
    }
}
