"""Planted faults: whose bytes a request sees."""

from ..fault import Edit
from ..fault import Mutation

MUTATIONS = (
    Mutation(
        "a host of other letters is asked for as it is",
        (Edit("src/py/backend.rs", "if host.is_ascii() {", "if !host.is_empty() {"),),
        ("tests/redis/test_clients.py",),
    ),
    Mutation(
        "a connection is used again after an exchange that failed",
        (
            Edit(
                "src/store/connection.rs",
                "        self.clean = false;",
                "        self.clean = true;",
            ),
            Edit(
                "src/store/connection.rs",
                "self.clean && self.stream.is_quiet()",
                "self.clean",
            ),
        ),
        ("tests/store_proxy.rs::no_fault_of_the_network_mixes_up_two_owners",),
    ),
    Mutation(
        "stray bytes on an idle connection go unseen",
        (
            Edit(
                "src/store/connection.rs",
                "self.clean && self.stream.is_quiet()",
                "self.clean",
            ),
        ),
        ("tests/store_faults.rs::what_comes_unasked_on_an_idle_connection_ends_it",),
    ),
    Mutation(
        "bytes behind a reply go unseen",
        (
            Edit(
                "src/store/connection.rs",
                "if start < filled || self.stream.has_more() {",
                "if start > filled || self.stream.has_more() {",
            ),
        ),
        ("tests/store_faults.rs::a_reply_of_the_wrong_kind_is_an_error_and_ends_the_connection",),
    ),
    Mutation(
        "a child uses the connections of its parent",
        (
            Edit(
                "src/store/stream.rs",
                "        self.process == process::id()",
                "        self.process != 0",
            ),
            Edit(
                "src/store/stream.rs", "    if process == process::id() {", "    if process != 0 {"
            ),
        ),
        ("tests/redis/test_fork.py::test_the_child_has_connections_of_its_own",),
    ),
    Mutation(
        "a child takes itself for its parent",
        (
            Edit(
                "src/process.rs",
                "        ID.store(0, Ordering::Relaxed);",
                "        let _ = &ID;",
            ),
        ),
        ("src/process.rs::tests::each_process_knows_itself",),
    ),
    Mutation(
        "a child that is born while a read blocks goes on reading",
        (
            Edit(
                "src/store/stream.rs",
                "                // As after a wait: a signal's handler may have forked.\n"
                "                self.own()?;\n",
                "",
            ),
        ),
        (
            "tests/store_fork.rs::"
            "a_child_born_while_a_read_blocks_does_not_end_the_exchange_for_its_parent",
        ),
    ),
    Mutation(
        "a read blocks past the deadline",
        (
            Edit(
                "src/store/stream.rs",
                "call.deadline.remaining().is_some_and(|left| left >= SLICE);",
                "call.deadline.remaining().is_some();",
            ),
        ),
        ("tests/store_faults.rs::a_read_blocks_in_slices_and_not_beyond_the_deadline",),
    ),
    Mutation(
        "a child ends the connections that it inherits",
        (
            Edit(
                "src/store/stream.rs",
                "        if self.is_own() {\n            let _ = self.socket.shutdown",
                "        if self.process != 0 {\n            let _ = self.socket.shutdown",
            ),
        ),
        ("tests/store_fork.rs::what_a_child_inherits_stays_its_parents",),
    ),
    Mutation(
        "an id may hold any character",
        (
            Edit(
                "src/sid.rs",
                ".all(|byte| OF_IDS[usize::from(*byte)]);",
                ".all(u8::is_ascii);",
            ),
        ),
        ("tests/redis/test_failures_ids.py::test_an_id_of_the_wrong_shape_never_reaches_redis",),
    ),
    Mutation(
        "an id may be as long as it likes",
        (
            Edit(
                "src/sid.rs",
                "let shaped = (SHORTEST..=LONGEST).contains(&text.len())",
                "let shaped = (SHORTEST..).contains(&text.len())",
            ),
        ),
        ("tests/redis/test_failures_ids.py::test_an_id_of_the_wrong_shape_never_reaches_redis",),
    ),
    Mutation(
        "the signature of an id is not verified",
        (
            Edit(
                "src/sid.rs",
                "            .then_some(sid)",
                "            .then_some(())\n            .or(Some(()))\n            .map(|()| sid)",
            ),
        ),
        (
            "tests/redis/test_contract_ids.py::TestTheSignedId::test_that_does_not_verify_never_reaches_redis",
        ),
    ),
)
