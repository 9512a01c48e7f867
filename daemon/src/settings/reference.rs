//! The printed reference.

use super::{Absent, Kind, Table};

impl Table {
    /// A configuration file with every key, its default and what it means.
    pub fn reference(&self) -> String {
        let mut text = format!("# Every key of {}'s configuration, with its default.\n", self.program);
        let mut section = "";
        for key in self.keys {
            if key.section != section {
                section = key.section;
                text.push_str(&format!("\n[{section}]\n"));
            }
            let bounds = match key.kind {
                Kind::Number(min, max) => format!(" {min} to {max}."),
                Kind::Choice(words) if words.len() > 1 => format!(" One of {}.", words.join(", ")),
                _ => String::new(),
            };
            let line = match key.absent {
                Absent::Required => format!("{} = \"\" # required", key.name),
                Absent::OneAtLeast { example, .. } => format!("# {example} # one at least"),
                Absent::Unset => format!("# {} = \"\"", key.name),
                Absent::Says(value) => format!("{} = \"{value}\"", key.name),
                Absent::Is(value) => format!("{} = {value}", key.name),
                Absent::Stands(value) => format!("{} = {value}", key.name),
            };
            text.push_str(&format!("# {}{bounds}\n{line}\n", key.about));
        }
        text
    }
}
