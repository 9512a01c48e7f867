//! A small table: what it makes of texts, and what it prints.

use std::path::Path;
use std::time::Duration;

use super::*;

const LISTENS: Kind = Kind::Address(["0.0.0.0:1", "[::]:1"]);

static TABLE: Table = Table {
    program: "tester",
    keys: &[
        key("port", "listen", LISTENS, Absent::Says("0.0.0.0:7"), "Where it listens."),
        key("port", "secret", Kind::Path, Absent::Required, "What it knows."),
        key("port", "wait_ms", Kind::Number(1, 10), Absent::Is(5), "How long it waits."),
        key("port", "how", Kind::Choice(&["well", "ill"]), Absent::Unset, "How it does."),
        key("friends", ANY_NAME, Kind::Ip, ONE_FRIEND, "One line a friend."),
    ],
    check_name: |name| match name {
        "nobody" => Err("is nobody".to_owned()),
        _ => Ok(()),
    },
};

const ONE_FRIEND: Absent = Absent::OneAtLeast { what: "friend", example: "jo = \"192.0.2.1\"" };

fn parsed(text: &str) -> (Values, String) {
    let mut mistakes = Vec::new();
    let values = TABLE.parse(text, Path::new("/base"), &mut mistakes);
    (values, Mistakes::by_line("a.toml", mistakes).to_string())
}

#[test]
fn what_is_absent_has_its_default_and_what_is_needed_is_missed() {
    let (values, said) = parsed("");
    assert_eq!(values.address("port", "listen").port(), 7);
    assert_eq!(values.time("port", "wait_ms"), Duration::from_millis(5));
    assert_eq!((values.text("port", "how"), values.line("port", "listen")), (None, None));
    assert_eq!(
        said,
        "a.toml has 2 mistakes:\n  [port] secret: is missing: What it knows.\n  [friends] is empty: one friend at least; \
         hint: jo = \"192.0.2.1\""
    );
}

#[test]
fn names_of_the_operators_own_come_in_the_files_order() {
    let (values, said) = parsed(
        "[port]\nsecret = \"s\"\n[friends]\nzoe = \"192.0.2.9\"\nann = \"192.0.2.1\"\nnobody = \"::1\"\n",
    );
    let entries: Vec<_> = values.entries("friends").map(|entry| (entry.name.as_str(), entry.line)).collect();
    assert_eq!(entries, [("zoe", 4), ("ann", 5)]);
    assert_eq!(values.path("port", "secret").unwrap(), Path::new("/base/s"));
    assert_eq!(said, "a.toml has 1 mistake:\n  line 6: [friends] nobody: the name is nobody");
}

#[test]
fn every_mistake_has_its_line_and_a_way_out() {
    let (_, said) = parsed(
        "[port]\nsecret = \"\"\nlisten = \"here\"\nwait = 3\nwait_ms = 11\nhow = \"so\"\nelsewhere_entirely = 1\n[fiends]\n\
         [friends]\njo = 7\n",
    );
    let expected = "\
a.toml has 8 mistakes:
  line 2: [port] secret: is a path, got an empty text
  line 3: [port] listen: is an IP address and a port, got \"here\"; hint: \"0.0.0.0:1\" or \"[::]:1\"
  line 4: [port] wait: is no key; hint: did you mean wait_ms?
  line 5: [port] wait_ms: is an integer from 1 to 10, got 11
  line 6: [port] how: is one of well, ill, got \"so\"
  line 7: [port] elsewhere_entirely: is no key; hint: tester --config-reference lists all
  line 8: [fiends] is no section; hint: did you mean friends?
  line 10: [friends] jo: is a text in quotes, got integer";
    assert_eq!(said, expected);
}

#[test]
fn the_reference_has_every_key_with_its_default() {
    let expected = "\
# Every key of tester's configuration, with its default.

[port]
# Where it listens.
listen = \"0.0.0.0:7\"
# What it knows.
secret = \"\" # required
# How long it waits. 1 to 10.
wait_ms = 5
# How it does. One of well, ill.
# how = \"\"

[friends]
# One line a friend.
# jo = \"192.0.2.1\" # one at least
";
    assert_eq!(TABLE.reference(), expected);
}
