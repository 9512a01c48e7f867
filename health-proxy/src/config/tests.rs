//! What is said of mistakes, and that the reference is a configuration.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;

const SMALLEST: &str = "[nodes]\na = \"192.0.2.1:5696\"\n";

fn mistakes(text: &str) -> String {
    let list = Config::parse(text, Path::new("")).unwrap_err();
    Mistakes::by_line("front.toml", list).to_string()
}

#[test]
fn one_node_is_enough_and_every_default_is_its_constant() {
    let config = Config::parse(SMALLEST, Path::new("")).unwrap();
    assert_eq!(config.health, Settings::default());
    assert_eq!(config.front.listen.port(), 5696);
    assert_eq!(config.admin.listen, "127.0.0.1:5699".parse().unwrap());
    assert_eq!(config.limits.idle_timeout, Duration::from_secs(360));
    assert_eq!(config.prober.kind(), Kind::Tls);
}

#[test]
fn the_reference_is_a_configuration_once_it_has_a_node() {
    let text = keys::TABLE.reference().replace("# kms1", "kms1");
    let config = Config::parse(&text, Path::new("")).unwrap();
    assert_eq!(config.nodes[0].name, "kms1");
}

#[test]
fn nodes_stay_in_the_order_of_the_file() {
    let text = "[nodes]\nzoe = \"192.0.2.9:5696\"\nann = \"192.0.2.1:5696\"\n";
    let config = Config::parse(text, Path::new("")).unwrap();
    let names: Vec<_> = config.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["zoe", "ann"]);
}

#[test]
fn every_mistake_is_named_at_once_with_line_key_and_a_way_out() {
    let text = "[front]\nlisen = \"0.0.0.0:1\"\nmode = \"relay\"\n[nodes]\na = \"kms1.example.test\"\n\"b c\" = \
                \"192.0.2.1:1\"\n[limits]\nconnections_max = 0\n[heath]\n[probe]\nkind = \"kmip\"\nserver_name = \"x\"\n";
    let expected = "\
front.toml has 8 mistakes:
  line 2: [front] lisen: is no key; hint: did you mean listen?
  line 3: [front] mode: is one of passthrough, replay, got \"relay\"
  line 5: [nodes] a: is an IP address and a port, got \"kms1.example.test\"; hint: \"192.0.2.11:5696\" or \"[2001:db8::1]:5696\"
  line 6: [nodes] b c: the name has 1 to 64 letters, digits, \".\", \"_\" and \"-\", got \"b c\"
  line 8: [limits] connections_max: is an integer from 1 to 1048576, got 0
  line 9: [heath] is no section; hint: did you mean health?
  line 11: [probe] kind: kmip needs certificate and key; hint: kms client add, or kind = \"tls\"
  line 12: [probe] server_name: needs ca: a name in a certificate of nobody in particular says nothing";
    assert_eq!(mistakes(text), expected);
}

#[test]
fn a_front_without_nodes_or_with_one_twice_is_a_mistake() {
    assert_eq!(
        mistakes(""),
        "front.toml has 1 mistake:\n  [nodes] is empty: one node at least; hint: kms1 = \"192.0.2.11:5696\""
    );
    let twice = mistakes("[nodes]\na = \"192.0.2.1:5696\"\nb = \"192.0.2.1:5696\"\n");
    assert!(twice.contains("line 3: [nodes] b: 192.0.2.1:5696 is a already"), "{twice}");
}

#[test]
fn a_front_that_is_its_own_node_is_a_mistake() {
    let text = "[front]\nlisten = \"192.0.2.1:5696\"\n[nodes]\na = \"192.0.2.1:5696\"\n";
    assert!(mistakes(text).contains("line 2: [front] listen: 192.0.2.1:5696 is the node a too"));
}

#[test]
fn replay_names_all_that_it_needs() {
    let text =
        format!("[front]\nmode = \"replay\"\nproxy_protocol = true\n{SMALLEST}[replay]\nkey = \"key.pem\"\n");
    let said = mistakes(&text);
    for name in ["certificate", "link_certificate", "link_key", "link_ca"] {
        assert!(
            said.contains(&format!("[replay] {name}: replay needs it; hint: kms front certificate")),
            "{said}"
        );
    }
    assert!(said.contains("line 3: [front] proxy_protocol: has no place in replay"), "{said}");
    assert!(!said.contains("[replay] key"), "{said}");
}

#[test]
fn replay_before_nodes_of_another_make_names_all_that_it_needs() {
    let text =
        format!("[front]\nmode = \"replay\"\n{SMALLEST}[third_party]\nserver_name = \"kms.example.test\"\n");
    let said = mistakes(&text);
    for name in ["certificate", "key", "ca", "clients"] {
        let expected =
            format!("[third_party] {name}: replay before nodes of another make needs certificate, key, ca");
        assert!(said.contains(&expected), "{said}");
    }
    for name in ["certificate", "key"] {
        assert!(said.contains(&format!("[replay] {name}: replay needs it; hint: ")), "{said}");
    }
    assert!(said.starts_with("front.toml has 6 mistakes") && !said.contains("link_"), "{said}");
}

#[test]
fn a_front_before_our_own_nodes_and_others_at_once_is_a_mistake() {
    let text = format!(
        "[front]\nmode = \"replay\"\n{SMALLEST}[replay]\ncertificate = \"c\"\nkey = \"k\"\nlink_ca = \
         \"l\"\n[third_party]\nclients = \"t\"\n"
    );
    assert_eq!(
        mistakes(&text),
        "front.toml has 1 mistake:\n  line 10: [third_party] clients: is for nodes of another make, and [replay] link_ca \
         for our own; hint: a front stands before one or the other, take [third_party] or [replay] link_* out"
    );
}

#[test]
fn files_of_third_party_that_cannot_be_used_are_told_by_their_key() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["c", "k", "ca", "clients"] {
        fs::write(dir.path().join(name), "").unwrap();
        fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let text = format!(
        "[front]\nmode = \"replay\"\n{SMALLEST}[replay]\ncertificate = \"c\"\nkey = \"k\"\n[third_party]\ncertificate \
         = \"c\"\nkey = \"k\"\nca = \"ca\"\nclients = \"clients\"\n"
    );
    let list = Config::parse(&text, dir.path()).unwrap_err();
    let said = Mistakes::by_line("front.toml", list).to_string();
    assert!(said.contains("line 11: [third_party] ca: the CA certificates: there is none; hint: "), "{said}");
    assert!(
        said.contains("line 12: [third_party] clients: ") && said.contains("holds no certificate in PEM")
    );
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["probe.pem", "probe.key"] {
        fs::write(dir.path().join(name), "").unwrap();
    }
    fs::set_permissions(dir.path().join("probe.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let text = format!("{SMALLEST}[probe]\ncertificate = \"probe.pem\"\nkey = \"probe.key\"\n");
    let list = Config::parse(&text, dir.path()).unwrap_err();
    assert_eq!(list.len(), 1);
    assert!(
        list[0].message.contains("[probe] key") && list[0].message.contains("hint: chmod 600"),
        "{list:?}"
    );
    assert_eq!(list[0].line, Some(5));
}
