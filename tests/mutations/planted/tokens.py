"""Planted faults: what is accepted as a token."""

from ..fault import Edit
from ..fault import Mutation

MUTATIONS = (
    Mutation(
        "a clock that a test stopped goes unseen",
        (
            Edit(
                "src/py/clock.rs",
                "state.is_some_and(|state| state == module.state.load(Ordering::Relaxed))",
                "state.is_some() && module.state.load(Ordering::Relaxed) != 0",
            ),
        ),
        ("tests/test_clock.py",),
    ),
    Mutation(
        "an expired token is accepted",
        (
            Edit(
                "src/token.rs",
                "if age < 0 || age > i128::from(max_age) {",
                "if age < 0 && age <= i128::from(max_age) {",
            ),
        ),
        ("tests/test_contract.py::test_expired_is_empty",),
    ),
    Mutation(
        "a token from the future is accepted",
        (
            Edit(
                "src/token.rs",
                "if age < 0 || age > i128::from(max_age) {",
                "if age > i128::from(max_age) {",
            ),
        ),
        ("tests/token.rs::an_age_is_from_zero_to_max_age", "tests/test_differential.py::test_age"),
    ),
    Mutation(
        "the beginning of a signature is enough",
        (
            Edit(
                "src/keyring.rs",
                "if signature.len() != self.signature_len() {",
                "if signature.len() > self.signature_len() {",
            ),
            Edit(
                "src/keyring.rs",
                "computed.len() == claimed.len() && difference",
                "difference",
            ),
        ),
        (
            "tests/token.rs::tells_why_a_token_is_refused",
            "tests/token.rs::accepts_what_the_table_says",
        ),
    ),
    Mutation(
        "only the first four bytes of a signature are compared",
        (
            Edit(
                "src/keyring.rs",
                "computed.iter().zip(claimed);",
                "computed.iter().zip(claimed).take(4);",
            ),
        ),
        ("tests/token.rs::no_byte_of_a_token_can_be_another",),
    ),
    Mutation(
        "the oldest key signs, a fallback",
        (Edit("src/keyring.rs", "keys.last()", "keys.first()"),),
        ("tests/test_keys.py::test_the_newest_key_signs",),
    ),
    Mutation(
        "fallback keys do not verify",
        (
            Edit(
                "src/keyring.rs",
                "keys.iter().rev().any(",
                "keys.iter().rev().take(1).any(",
            ),
        ),
        ("tests/test_keys.py::test_same_answers_under_rotation",),
    ),
    Mutation(
        "a forged permanent session is sealed again with the real key",
        (
            Edit(
                "src/py/secure_cookie.rs",
                "let Ok(payload) = token::verify(keyring, &token, now, native.max_age) else {",
                "let Some(payload) = token::payload_of(&token) else {",
            ),
        ),
        ("tests/test_permanent.py::test_forged_tokens_do_not_slide",),
    ),
    Mutation(
        "a payload inflates without a cap",
        (
            Edit(
                "src/payload.rs",
                "    let mut room = input.len().saturating_mul(5).clamp(64, cap.max(64));",
                "    let cap = cap.saturating_mul(1 << 12);\n"
                "    let mut room = input.len().saturating_mul(5).clamp(64, cap.max(64));",
            ),
        ),
        ("tests/test_odd_payloads.py::test_inflation_has_a_limit",),
    ),
    Mutation(
        "Flask's own code inflates without a cap",
        (
            Edit(
                "python/flask_session_rs/secure_cookie.py",
                "if inflater.unconsumed_tail or _native.is_out_of_proportion(text):",
                "if _native.is_out_of_proportion(text):",
            ),
        ),
        ("tests/test_odd_payloads.py::test_inflation_has_a_limit",),
    ),
    Mutation(
        "JSON nests as deep as it likes",
        (
            Edit(
                "src/py/decode.rs",
                "Token::Array | Token::Object if depth >= MAX_DEPTH => return",
                "Token::Array | Token::Object if depth >= MAX_DEPTH << 20 => return",
            ),
        ),
        ("tests/test_odd_payloads.py::test_levels",),
    ),
    Mutation(
        "a record nests as deep as it likes",
        (
            Edit(
                "src/py/record_decode.rs",
                "Token::Array(_) | Token::Map(_) if depth >= MAX_DEPTH =>",
                "Token::Array(_) | Token::Map(_) if depth >= MAX_DEPTH << 20 =>",
            ),
        ),
        ("tests/test_record_input.py::test_nesting",),
    ),
)
