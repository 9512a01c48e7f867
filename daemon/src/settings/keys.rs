//! A table of keys: every key of a configuration once, with its kind, bounds and default.

/// What a key's value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text that the table's `check_name` takes.
    Name,
    /// A path; relative ones start at the configuration file's directory.
    Path,
    /// An IP address and port; two of them for the hint.
    Address([&'static str; 2]),
    /// An integer within these bounds, both included.
    Number(i64, i64),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A host name or IP address and a port; two of them for the hint.
    HostPort([&'static str; 2]),
    /// An IP address.
    Ip,
    /// `true` or `false`.
    Switch,
}

/// What holds when a key is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// A mistake.
    Required,
    /// A mistake where the operator gives the names and gave none: one `what` is needed, such as the line `example`.
    OneAtLeast {
        /// What a line of the section is.
        what: &'static str,
        /// Such a line.
        example: &'static str,
    },
    /// Nothing: the key has no default.
    Unset,
    /// This text.
    Says(&'static str),
    /// This number.
    Is(i64),
    /// `true` or `false`.
    Stands(bool),
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The section it stands in.
    pub section: &'static str,
    /// Its name, units and bounds last; [`ANY_NAME`] where the operator gives it.
    pub name: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// What holds without it.
    pub absent: Absent,
    /// What it means, and what happens at its limit.
    pub about: &'static str,
}

/// Stands for the names that the operator gives, in a section of any number of lines; it is the only key there, and its
/// values are texts.
pub const ANY_NAME: &str = "NAME";

/// One key, in a line.
pub const fn key(
    section: &'static str,
    name: &'static str,
    kind: Kind,
    absent: Absent,
    about: &'static str,
) -> Key {
    Key { section, name, kind, absent, about }
}

/// The keys of a program.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// The program, as an operator calls it.
    pub program: &'static str,
    /// Every key, in the reference's order: section by section.
    pub keys: &'static [Key],
    /// Says what is wrong with a name: of [`Kind::Name`], or one that the operator gives.
    pub check_name: fn(&str) -> Result<(), String>,
}
