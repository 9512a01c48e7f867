//! A case against a server that is a script.

use std::collections::VecDeque;

use kmip::enumeration::{Operation, ResultStatus};
use kmip::tag;
use ttlv::Value;

use super::*;
use crate::case::{Case, Plan, items, operation};

/// Answers from a list and keeps what it was asked.
#[derive(Default)]
struct Script {
    answers: VecDeque<Result<Vec<u8>, String>>,
    asked: Vec<Node>,
}

impl Wire for Script {
    async fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, String> {
        self.asked.push(decode(request)?);
        self.answers.pop_front().unwrap_or_else(|| Err("the script is at its end".to_owned()))
    }
}

impl Script {
    fn answering(answers: impl IntoIterator<Item = Node>) -> Self {
        Self { answers: answers.into_iter().map(|answer| Ok(answer.encode())).collect(), asked: Vec::new() }
    }

    /// Each request's operation with its first identifier.
    fn log(&self) -> Vec<String> {
        let items = self.asked.iter().flat_map(items);
        items.map(|item| format!("{:?} {}", operation(item).unwrap(), identifier(item))).collect()
    }
}

fn identifier(item: &Node) -> String {
    let payload = item.child(tag::REQUEST_PAYLOAD).and_then(|payload| payload.child(tag::UNIQUE_IDENTIFIER));
    match payload.map(|node| &node.value) {
        Some(Value::TextString(text)) => text.clone(),
        _ => "-".to_owned(),
    }
}

fn structure(tag: kmip::Tag, nodes: Vec<Node>) -> Node {
    Node::new(tag, Value::Structure(nodes))
}

fn answer(operation: Operation, status: ResultStatus, id: &str) -> Node {
    let number = |tag, number| Node::new(tag, Value::Integer(number));
    let version = structure(
        tag::PROTOCOL_VERSION,
        vec![number(tag::PROTOCOL_VERSION_MAJOR, 1), number(tag::PROTOCOL_VERSION_MINOR, 2)],
    );
    let stamp = Node::new(tag::TIME_STAMP, Value::DateTime(0));
    let header = structure(tag::RESPONSE_HEADER, vec![version, stamp, number(tag::BATCH_COUNT, 1)]);
    let id = Node::new(tag::UNIQUE_IDENTIFIER, Value::TextString(id.to_owned()));
    let item = vec![
        Node::new(tag::OPERATION, Value::Enumeration(operation.number())),
        Node::new(tag::RESULT_STATUS, Value::Enumeration(status.number())),
        structure(tag::RESPONSE_PAYLOAD, vec![id]),
    ];
    structure(tag::RESPONSE_MESSAGE, vec![header, structure(tag::BATCH_ITEM, item)])
}

fn message(kind: &str, operation: &str, id: &str) -> String {
    let id = if id.is_empty() {
        r#"<TemplateAttribute><Name><NameValue type="TextString" value="X-M-1-12"/></Name></TemplateAttribute>"#
            .to_owned()
    } else {
        format!(r#"<UniqueIdentifier type="TextString" value="{id}"/>"#)
    };
    let (time, status) = match kind {
        "Request" => ("", ""),
        _ => (
            r#"<TimeStamp type="DateTime" value="$NOW"/>"#,
            r#"<ResultStatus type="Enumeration" value="Success"/>"#,
        ),
    };
    format!(
        r#"<{kind}Message><{kind}Header><ProtocolVersion>
        <ProtocolVersionMajor type="Integer" value="1"/><ProtocolVersionMinor type="Integer" value="2"/>
        </ProtocolVersion>{time}<BatchCount type="Integer" value="1"/></{kind}Header><BatchItem>
        <Operation type="Enumeration" value="{operation}"/>{status}<{kind}Payload>{id}</{kind}Payload>
        </BatchItem></{kind}Message>"#
    )
}

/// Creates one object and destroys it.
fn exchanges() -> Vec<Exchange> {
    match case().plan {
        Plan::Run(exchanges) => exchanges,
        Plan::Skip(why) => panic!("{why}"),
    }
}

fn case() -> Case {
    let id = "$UNIQUE_IDENTIFIER_0";
    let text = message("Request", "Create", "")
        + &message("Response", "Create", id)
        + &message("Request", "Destroy", id)
        + &message("Response", "Destroy", id);
    Case::read("X-M-1-12".to_owned(), &text)
}

async fn judged(script: &mut Script) -> (Verdict, Leftovers) {
    let mut leftovers = Leftovers::default();
    let verdict = run(ProtocolVersion::V1_2, &exchanges(), script, &mut leftovers, 0).await;
    (verdict, leftovers)
}

const SUCCESS: ResultStatus = ResultStatus::Success;
const FAILED: ResultStatus = ResultStatus::OperationFailed;

#[tokio::test]
async fn a_later_request_uses_what_an_earlier_response_brought() {
    let mut script = Script::answering([
        answer(Operation::Create, SUCCESS, "a"),
        answer(Operation::Destroy, SUCCESS, "a"),
    ]);
    let (verdict, leftovers) = judged(&mut script).await;
    assert_eq!(verdict.difference, None);
    assert_eq!(verdict.steps.len(), 2);
    assert_eq!(script.log(), ["Create -", "Destroy a"]);
    assert!(leftovers.objects.is_empty());
}

#[tokio::test]
async fn a_case_ends_at_its_first_difference_and_what_it_made_is_destroyed() {
    let mut script = Script::answering([
        answer(Operation::Create, SUCCESS, "a"),
        answer(Operation::Destroy, FAILED, "a"),
        // Clean-up: not destroyed while it is active.
        answer(Operation::Destroy, FAILED, "a"),
        answer(Operation::Revoke, SUCCESS, "a"),
        answer(Operation::Destroy, SUCCESS, "a"),
    ]);
    let (verdict, leftovers) = judged(&mut script).await;
    let difference = verdict.difference.expect("it differs");
    assert_eq!(difference.path, "response 2, item 1, Result Status");
    leftovers.destroy(ProtocolVersion::V1_2, &mut script).await;
    assert_eq!(script.log(), ["Create -", "Destroy a", "Destroy a", "Revoke a", "Destroy a"]);
}

#[tokio::test]
async fn what_a_case_presupposes_is_made_before_it_and_taken_away_after_it() {
    let named = |name: &str| Case { name: name.to_owned(), ..case() };
    let mut script = Script::answering([
        answer(Operation::Create, SUCCESS, "there before"),
        answer(Operation::Create, SUCCESS, "a"),
        answer(Operation::Destroy, SUCCESS, "a"),
        answer(Operation::Destroy, SUCCESS, "there before"),
    ]);
    crate::run(&[named("TC_151_12_Locate")], &mut script, (false, false), || 0, |_| {}).await;
    assert_eq!(script.log(), ["Create -", "Create -", "Destroy a", "Destroy there before"]);
    let mut script = Script::answering([answer(Operation::Create, SUCCESS, "a")]);
    crate::run(&[named("TC_152_12_Client")], &mut script, (false, false), || 0, |_| {}).await;
    assert_eq!(script.log()[..2], ["Create -", "Destroy a"], "others stand alone");
}

#[tokio::test]
async fn no_answer_is_a_difference_and_says_why() {
    let mut script = Script { answers: [Err("it hung up".to_owned())].into(), ..Script::default() };
    let (verdict, _) = judged(&mut script).await;
    let difference = verdict.difference.expect("it differs");
    assert_eq!((difference.path.as_str(), difference.got.as_str()), ("response 1", "it hung up"));
    let mut script = Script { answers: [Ok(vec![1, 2, 3])].into(), ..Script::default() };
    let (verdict, _) = judged(&mut script).await;
    assert!(verdict.difference.expect("it differs").got.contains("no TTLV"));
}

#[tokio::test]
async fn what_an_interrupted_run_left_is_found_by_its_name() {
    let mut script = Script::answering([answer(Operation::Locate, SUCCESS, "old")]);
    let found = Leftovers::of_names(ProtocolVersion::V1_2, &exchanges(), &mut script).await;
    assert_eq!(found.objects, ["old"]);
    assert_eq!(script.log(), ["Locate -"]);
}

#[tokio::test]
async fn objects_that_were_only_located_are_never_destroyed() {
    let mut leftovers = Leftovers::default();
    leftovers.note(&answer(Operation::Locate, SUCCESS, "somebody's"));
    leftovers.note(&answer(Operation::Create, FAILED, "never made"));
    assert!(leftovers.objects.is_empty());
}
