"""The faults that are planted, as data: what each is, the text that makes it, and the tests that are to find it."""

from __future__ import annotations

import typing as t


class Edit(t.NamedTuple):
    """A text that stands once in a file of the repository, and what stands there instead."""

    file: str
    old: str
    new: str


class Mutation(t.NamedTuple):
    """One fault. Where two guards cover each other, it takes both of them away."""

    name: str
    edits: tuple[Edit, ...]
    #: Tests that are expected to find it, and are run first: `FILE.rs::NAME` or a node id of pytest.
    tests: tuple[str, ...]


MUTATIONS = (
    # What is accepted as a token.
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
                "let claimed = &mut claimed[..self.mac_len()];",
                "let claimed = &mut claimed[..self.mac_len().min(signature.len() * 3 / 4)];",
            ),
            Edit(
                "src/keyring.rs",
                "mac(key, message).ct_eq(claimed).into()",
                "mac(key, message)[..claimed.len()].ct_eq(claimed).into()",
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
                "mac(key, message).ct_eq(claimed).into()",
                "mac(key, message)[..4].ct_eq(&claimed[..4]).into()",
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
                "keys.iter().rev().any(|key| mac",
                "keys.iter().rev().take(1).any(|key| mac",
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
        ("tests/test_record_codec.py::test_nesting",),
    ),
    # What a response says.
    Mutation(
        "Vary is forgotten",
        (
            Edit(
                "src/py/headers.rs",
                "Vary::Absent => self.list.append((vary, cookie)),",
                "Vary::Absent => Ok(()),",
            ),
        ),
        ("tests/test_contract.py::test_life",),
    ),
    Mutation(
        "Vary replaces what is there",
        (
            Edit(
                "src/py/headers.rs",
                'let merged = format!("{tokens}, Cookie");',
                'let merged = "Cookie".get(tokens.len().min(0)..);',
            ),
        ),
        ("tests/test_contexts.py::test_around_the_view", "tests/test_extension_app.py"),
    ),
    Mutation(
        "HttpOnly is forgotten",
        (Edit("src/py/cookie_settings.rs", 'keywords.set_item("httponly", httponly)?;', ""),),
        ("tests/test_contract.py::test_each_setting",),
    ),
    Mutation(
        "SameSite is forgotten",
        (Edit("src/py/cookie_settings.rs", 'keywords.set_item("samesite", samesite)?;', ""),),
        ("tests/test_contract.py::test_each_setting",),
    ),
    Mutation(
        "Partitioned is forgotten",
        (Edit("src/py/cookie_settings.rs", 'keywords.set_item("partitioned", partitioned)?;', ""),),
        ("tests/test_contract.py::test_each_setting",),
    ),
    Mutation(
        "SameSite is forgotten on a cookie of more than MAX_COOKIE_SIZE",
        (
            Edit(
                "src/py/set_cookie.rs",
                'keywords.set_item("samesite", setting("SESSION_COOKIE_SAMESITE")?)?;',
                "",
            ),
        ),
        ("tests/test_contract.py::test_settings_together",),
    ),
    Mutation(
        "Secure is forgotten when a cookie is deleted",
        (
            Edit(
                "python/flask_session_rs/redis.py",
                "            secure=self.get_cookie_secure(app),\n"
                "            partitioned=self.get_cookie_partitioned(app),\n"
                "            samesite=self.get_cookie_samesite(app),\n"
                "            httponly=",
                "            partitioned=self.get_cookie_partitioned(app),\n"
                "            samesite=self.get_cookie_samesite(app),\n"
                "            httponly=",
            ),
        ),
        ("tests/redis/test_contract.py::TestTheCookie::test_is_deleted_under_a_host_name",),
    ),
    Mutation(
        "HttpOnly is forgotten when a cookie is deleted",
        (
            Edit(
                "python/flask_session_rs/redis.py",
                "            samesite=self.get_cookie_samesite(app),\n"
                "            httponly=self.get_cookie_httponly(app),\n",
                "            samesite=self.get_cookie_samesite(app),\n",
            ),
        ),
        ("tests/redis/test_contract.py::TestTheCookie",),
    ),
    Mutation(
        "no warning of a cookie that browsers drop for its size",
        (
            Edit(
                "src/py/set_cookie.rs",
                "if self.texts.limit == 0 || length <= self.texts.limit {",
                "if self.texts.limit == 0 || length > 0 {",
            ),
        ),
        ("tests/test_contract.py::test_size_warning",),
    ),
    Mutation(
        "a session that was read counts as modified",
        (
            Edit(
                "src/py/session.rs",
                "self.modified.load(Ordering::Relaxed)",
                "self.modified.load(Ordering::Relaxed) || self.is_accessed()",
            ),
        ),
        (
            "tests/test_contract.py::test_unmodified_answers_have_no_cookie_and_no_vary",
            "tests/test_contract.py::test_life",
        ),
    ),
    Mutation(
        "a session that was only modified is not saved",
        (
            Edit(
                "src/py/secure_cookie.rs",
                "!state.is_modified() && Permanent::of(Session::dict(session)?)? == Permanent::No",
                "!state.is_accessed() && Permanent::of(Session::dict(session)?)? == Permanent::No",
            ),
        ),
        ("tests/test_contexts.py::test_session_transaction",),
    ),
    Mutation(
        "a permanent session is not refreshed",
        (
            Edit(
                "src/py/secure_cookie.rs",
                "Flag::True => Refresh::Reseal(payload.to_vec()),",
                "Flag::True if payload.is_empty() => Refresh::Reseal(payload.to_vec()),\n"
                "            Flag::True => Refresh::NotDue,",
            ),
        ),
        ("tests/test_permanent.py::test_canonical",),
    ),
    Mutation(
        "a record's expiry does not slide",
        (
            Edit(
                "src/py/redis_source.rs",
                "self.settings.refresh.then_some(self.settings.ttl)",
                "self.settings.refresh.then_some(self.settings.ttl).filter(|_| false)",
            ),
        ),
        ("tests/redis/test_contract.py::TestTheRecord::test_slides_where_flask_sessions_does",),
    ),
    # Whose bytes a request sees.
    Mutation(
        "a connection is used again after an exchange that failed",
        (
            Edit(
                "src/store/connection.rs",
                "        self.clean = false;",
                "        self.clean = true;",
            ),
            Edit(
                "src/store/redis.rs",
                "Err(failure) => return Err(failure.error),",
                "Err(failure) => {\n                    self.pool.put(idle);\n"
                "                    return Err(failure.error);\n                }",
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
                ".all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));",
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
            "tests/redis/test_contract.py::TestTheSignedId::test_that_does_not_verify_never_reaches_redis",
        ),
    ),
    # Requests at the same time.
    Mutation(
        "a new record is written over one that is there",
        (
            Edit(
                "src/store/redis.rs",
                'command.arg("EX").arg(seconds(ttl)).arg("NX");',
                'command.arg("EX").arg(seconds(ttl));',
            ),
        ),
        ("tests/store.rs::redis_over_tcp",),
    ),
    Mutation(
        "a record is replaced whatever it has become",
        (
            Edit(
                "src/store/scripts.rs",
                "if ARGV[1] ~= 'any' and now ~= ARGV[3] and now ~= ARGV[2] then return now end\n",
                "",
            ),
        ),
        ("tests/redis/test_concurrent_changes.py::TestDifferentKeys",),
    ),
    Mutation(
        "a record is deleted whatever it has become",
        (
            Edit(
                "src/store/scripts.rs",
                "if ARGV[1] ~= 'any' and now ~= ARGV[2] then return now end\n",
                "",
            ),
        ),
        ("tests/redis/test_concurrent_changes.py::TestEmptiedKeyByKey",),
    ),
    Mutation(
        "a record that is gone is written again",
        (
            Edit(
                "src/store/scripts.rs",
                "if type(now) ~= 'string' then return 0 end\n"
                "if ARGV[1] ~= 'any' and now ~= ARGV[3] and now",
                "if type(now) == 'string' and ARGV[1] ~= 'any' and now ~= ARGV[3] and now",
            ),
        ),
        ("tests/redis/test_concurrent_changes.py::TestALogout",),
    ),
    Mutation(
        "a large record is replaced whatever it has become",
        (
            Edit(
                "src/store/transaction.rs",
                "(_, Standing::Record(now)) if !is_expected(&now, expected) => {",
                "(_, Standing::Record(now)) if now.is_empty() && !is_expected(&now, expected) => {",
            ),
        ),
        ("tests/store.rs::redis_over_tcp",),
    ),
    Mutation(
        "a large record is no longer watched when it is written",
        (
            Edit(
                "src/store/transaction.rs",
                '        let mut commands = vec![cmd("MULTI")];',
                '        let unwatched = connection.exchange(&[cmd("UNWATCH")], call);\n'
                "        unwatched.map_err(|failure| failure.error)?;\n"
                '        let mut commands = vec![cmd("MULTI")];',
            ),
        ),
        ("tests/store.rs::eight_threads_change_one_record_and_every_change_survives",),
    ),
    Mutation(
        "a write that somebody else's prevented counts as done",
        (
            Edit(
                "src/store/transaction.rs",
                "Some(Value::Nil) => Ok(false),",
                "Some(Value::Nil) => Ok(true),",
            ),
        ),
        ("tests/store.rs::eight_threads_change_one_record_and_every_change_survives",),
    ),
    Mutation(
        "a client's store replaces a record whatever it has become",
        (
            Edit(
                "python/flask_session_rs/client_store.py",
                "if expected is not None and now not in (expected, record):",
                "if expected is None and now not in (expected, record):",
            ),
        ),
        ("tests/redis/test_client_failures.py", "tests/redis/test_backend.py"),
    ),
    Mutation(
        "the keys that a request removed come back",
        (
            Edit(
                "src/record.rs",
                "                kept[at] = None;",
                "                kept[at] = kept[at].filter(|_| true);",
            ),
        ),
        ("tests/redis/test_concurrent_changes.py::TestDifferentKeys",),
    ),
    Mutation(
        "clear() keeps what another request wrote meanwhile",
        (
            Edit(
                "src/py/redis_save.rs",
                "(state.origin.clone(), next, state.cleared)",
                "(state.origin.clone(), next, state.cleared && state.over)",
            ),
        ),
        (
            "tests/redis/test_concurrent_changes.py::TestALogout",
            "tests/redis/test_concurrent_changes.py::TestClearedAndFilledAgain",
        ),
    ),
    Mutation(
        "regenerate leaves the old id alive",
        (
            Edit(
                "src/store/scripts.rs",
                "redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[4])\nredis.call('DEL', KEYS[1])\n",
                "redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[4])\n",
            ),
        ),
        (
            "tests/redis/test_contract.py::TestRegenerate::test_moves_the_record_and_kills_the_old_id",
        ),
    ),
    Mutation(
        "regenerate leaves the old id of a large record alive",
        (
            Edit(
                "src/store/transaction.rs",
                "commands.extend([set(new, record, *ttl), delete(old)]),",
                "commands.extend([set(new, record, *ttl)].into_iter().filter(|_| old != new)),",
            ),
        ),
        ("tests/store.rs::redis_over_tcp",),
    ),
    Mutation(
        "a logout that another one preceded deletes the newer cookie",
        (
            Edit(
                "src/py/redis_save.rs",
                "Some(Saved::Kept(..) | Saved::Ended) => {",
                "Some(Saved::Kept(..)) => {",
            ),
            Edit(
                "src/py/redis_save.rs",
                "Some(Saved::Deleted) | None => {",
                "Some(Saved::Deleted | Saved::Ended) | None => {",
            ),
        ),
        ("tests/redis/test_concurrent_changes.py::TestALogout",),
    ),
    Mutation(
        "a request that only reads writes",
        (
            Edit(
                "src/py/redis_save.rs",
                "if new_key.is_none() && unchanged {",
                "if new_key.is_none() && encoded.is_empty() && unchanged {",
            ),
            Edit(
                "src/commit.rs",
                "if change.new_key.is_none() && change.baseline == Some(change.record) {",
                "if change.new_key.is_none() && change.record.is_empty() {",
            ),
        ),
        ("tests/redis/test_commands.py::TestARequest::test_that_reads_sends_one",),
    ),
    Mutation(
        "nested changes go unnoticed",
        (
            Edit(
                "src/py/redis_save.rs",
                "if new_key.is_none() && unchanged {",
                "if new_key.is_none() && (!modified || unchanged) {",
            ),
        ),
        ("tests/redis/test_commands.py::TestANestedChange",),
    ),
    # Outages, deadlines, secrets.
    Mutation(
        "Set-Cookie is sent in an outage",
        (
            Edit(
                "src/py/redis_save.rs",
                "Err(error) if is_of_store(py, &error) => return Ok(()),",
                "Err(error) if is_of_store(py, &error) => return self.set_cookie(&sid, Permanent::Yes),",
            ),
        ),
        ("tests/redis/test_failures_outage.py::test_a_view_that_ignores_its_session_goes_on",),
    ),
    Mutation(
        "a session that could not be loaded is saved",
        (
            Edit(
                "src/py/redis_session.rs",
                "Session::fill(slf, None, || redis.get().state().over = true)?;\n            Err(error)",
                "Session::fill(slf, None, || redis.get().state().over = false)?;\n            Err(error)",
            ),
        ),
        ("tests/redis/test_failures_outage.py",),
    ),
    Mutation(
        "a save that failed is tried again by the error page",
        (
            Edit(
                "src/py/redis.rs",
                "            redis.get().state().over = true;",
                "            redis.get().state().over = false;",
            ),
        ),
        (
            "tests/redis/test_failures_outage.py::test_a_save_that_fails_is_a_500_and_is_not_tried_again",
        ),
    ),
    Mutation(
        "each wait has the whole time once more",
        (
            Edit(
                "src/store/stream.rs",
                "let waited = call.waiter.wait(fd, interest, call.deadline)?;",
                "let anew = crate::store::Deadline::after(std::time::Duration::from_secs(1));\n"
                "    let waited = call.waiter.wait(fd, interest, anew)?;",
            ),
        ),
        ("tests/store_faults.rs::silence_and_trickles_end_with_the_deadline",),
    ),
    Mutation(
        "a server that sends without a pause is read from without an end",
        (
            Edit(
                "src/store/connection.rs",
                "if !first && call.deadline.remaining().is_none() {",
                "if first && call.deadline.remaining().is_none() {",
            ),
        ),
        ("tests/store_faults.rs::lengths_are_not_believed",),
    ),
    Mutation(
        "a command is sent a second time after a time-out",
        (
            Edit(
                "src/store/redis.rs",
                "Err(failure) if failure.hung_up && *repeat == Repeat::Unused => {",
                "Err(failure) if *repeat == Repeat::Unused => {",
            ),
        ),
        (
            "tests/store_faults.rs::a_command_is_repeated_once_and_no_more",
            "tests/redis/test_failures_replies.py",
        ),
    ),
    Mutation(
        "the name in a certificate is not verified",
        (
            Edit(
                "src/store/tls.rs",
                "Verification::Full => chain,",
                "Verification::Full if settings.ca_file.is_none() && settings.key.is_some() => chain,",
            ),
        ),
        ("tests/redis/test_failures_tls.py::test_another_hosts_certificate",),
    ),
    Mutation(
        "no certificate is verified at all",
        (
            Edit(
                "src/store/tls.rs",
                "if settings.verification == Verification::Nothing {",
                "if settings.verification != Verification::AnyHost {",
            ),
        ),
        ("tests/redis/test_failures_tls.py::test_an_unknown_authority",),
    ),
    Mutation(
        "an error shows the URL with its password",
        (
            Edit(
                "src/store/url.rs",
                'error => wrong(format!("the URL cannot be read: {error}")),',
                'error => wrong(format!("the URL {text} cannot be read: {error}")),',
            ),
        ),
        ("tests/store_url.rs::a_password_is_not_shown_however_wrong_the_url",),
    ),
    Mutation(
        "a traceback's variables show the URL with its password",
        (
            Edit(
                "python/flask_session_rs/redis.py",
                "            del client\n            raise",
                "            raise",
            ),
        ),
        ("tests/redis/test_failures_secrets.py::test_misconfiguration_shows_nothing",),
    ),
    Mutation(
        "a server's error is shown in its own words",
        (
            Edit(
                "src/store/refusal.rs",
                'if is_code(code) { code } else { "ERR" },',
                "if is_code(code) { code } else { words },",
            ),
        ),
        (
            "src/store/refusal.rs::tests::an_error_is_told_by_its_code_and_never_in_the_servers_words",
        ),
    ),
    # Whether native code or Flask's answers, and for how long an answer holds.
    Mutation(
        "a key that was changed keeps signing",
        (
            Edit(
                "src/py/plan.rs",
                "let same = self.settings.iter().zip(&settings).all(|(a, b)| a.is(b));",
                "let same = self.settings.iter().zip(&settings).skip(1).all(|(a, b)| a.is(b));",
            ),
        ),
        ("tests/test_keys.py::test_rotation_is_seen",),
    ),
    Mutation(
        "fallback keys that are changed in place go unseen",
        (
            Edit(
                "src/py/plan.rs",
                "            && same_items(&self.fallbacks, self.settings[1].bind(py))\n",
                "",
            ),
        ),
        ("tests/test_keys.py::test_the_same_list_changed_in_place",),
    ),
    Mutation(
        "fallback keys of signed ids that are changed in place go unseen",
        (
            Edit(
                "src/py/redis_settings.rs",
                "            && same_fallbacks(&kept.fallbacks, config)?\n",
                "",
            ),
        ),
        ("tests/redis/test_contract.py::TestTheSignedId::test_fallback_keys_change_in_place",),
    ),
    Mutation(
        "a tag of the application's own is passed over",
        (
            Edit(
                "src/py/plan.rs",
                "            || !stock.is_shipped_serializer(&serializer)?\n",
                "",
            ),
        ),
        ("tests/test_extension_points.py::test_a_tag_on_the_shared_serializer",),
    ),
    Mutation(
        "a JSON provider of the application's own is passed over",
        (
            Edit(
                "src/py/plan.rs",
                "            || !json.get_type().is(&stock.json_provider)\n"
                "            || !stock.json.unchanged_in(&json.get_type())?\n",
                "",
            ),
        ),
        ("tests/test_extension_app.py::test_the_application_changed",),
    ),
    Mutation(
        "a hook that is set on the interface object is passed over",
        (
            Edit(
                "src/py/plan.rs",
                "    attributes.iter().any(|(name, _)| is_hook(&name))",
                "    attributes.iter().any(|(name, _)| is_hook(&name) && name.is_none())",
            ),
        ),
        ("tests/test_extension_points.py::test_attributes_changed_between_requests",),
    ),
    Mutation(
        "the hooks of the Redis interface forget Partitioned",
        (
            Edit(
                "python/flask_session_rs/redis.py",
                "            partitioned=self.get_cookie_partitioned(app),\n"
                "            samesite=self.get_cookie_samesite(app),\n"
                '        )\n        response.vary.add("Cookie")\n\n    def _delete',
                "            samesite=self.get_cookie_samesite(app),\n"
                '        )\n        response.vary.add("Cookie")\n\n    def _delete',
            ),
        ),
        ("tests/redis/test_hooks.py",),
    ),
    Mutation(
        "SESSION_USE_SIGNER is passed over",
        (
            Edit(
                "python/flask_session_rs/extension.py",
                "                    if key in app.config\n",
                '                    if key in app.config and key != "SESSION_USE_SIGNER"\n',
            ),
        ),
        ("tests/redis/test_extension.py::test_every_key_reaches_the_interface",),
    ),
    Mutation(
        "a client that verifies the name in a certificate is taken for one that does not",
        (
            Edit(
                "python/flask_session_rs/clients.py",
                "verifies_host=bool(check),",
                "verifies_host=False,",
            ),
        ),
        ("tests/redis/test_clients.py::test_a_plain_client_is_its_settings",),
    ),
    # What a cookie and a session hold.
    Mutation(
        "of two cookies with the name of the session's, the last one counts",
        (
            Edit(
                "src/cookie.rs",
                "                if memchr3(b' ', b'\\t', b'\"', value).is_none() {",
                "                let later = next.and_then(|next| find(&rest[next..], name));\n"
                "                if later.is_some() {\n                    return later;\n                }\n"
                "                if memchr3(b' ', b'\\t', b'\"', value).is_none() {",
            ),
        ),
        ("tests/cookie.rs::finds_what_werkzeug_finds",),
    ),
    Mutation(
        "keys are not sorted",
        (
            Edit(
                "src/py/encode.rs",
                "        sorted.sort_unstable_by_key(|(key, _)| *key);\n",
                "",
            ),
        ),
        ("tests/test_serialization.py::test_same_json",),
    ),
    Mutation(
        "what only looks like a tag is read as one",
        (
            Edit(
                "src/py/encode.rs",
                "            && let Some(tag) = Tag::of(key)\n",
                "            && let Some(tag) = Tag::of(key)\n            && key.is_empty()\n",
            ),
        ),
        ("tests/test_serialization.py::test_same_json",),
    ),
    Mutation(
        "setdefault() does not mark the session as modified",
        (
            Edit(
                "src/py/session.rs",
                "        if added {\n            slf.get().touch();\n        }",
                "        let _ = added;",
            ),
        ),
        ("tests/test_session_object.py::test_same_as_flasks",),
    ),
    Mutation(
        "an update in place does not mark the session as modified",
        (
            Edit(
                "src/py/session.rs",
                "        UPDATE.call(slf.py(), (slf, other))?;\n        slf.get().touch();\n        Ok(())",
                "        UPDATE.call(slf.py(), (slf, other))?;\n        Ok(())",
            ),
        ),
        ("tests/test_session_object.py::test_same_as_flasks",),
    ),
    Mutation(
        "repr() shows what is in the session",
        (
            Edit(
                "src/py/session.rs",
                'keys => format!("<{class} ({keys} keys)>"),',
                'keys => format!("<{class} ({keys} keys)> {}", slf.as_super().as_mapping().items()?),',
            ),
        ),
        ("tests/redis/test_session_semantics.py::TestOurs::test_repr_shows_no_data",),
    ),
    Mutation(
        "a session that is not used is loaded all the same",
        (
            Edit(
                "src/py/session.rs",
                "        Self::defer(&session, source)?;\n        Ok(session)",
                "        Self::defer(&session, source)?;\n        Self::load(&session)?;\n        Ok(session)",
            ),
        ),
        ("tests/test_lazy.py::test_an_untouched_request_decodes_nothing",),
    ),
    Mutation(
        "a payload is deflated where that saves nothing",
        (Edit("src/payload.rs", "json.len().checked_sub(2)", "json.len().checked_sub(0)"),),
        (
            "tests/payload.rs::deflates_only_where_it_pays",
            "tests/payload.rs::deflates_exactly_where_itsdangerous_does",
        ),
    ),
    # What is in a record, and what becomes of it.
    Mutation(
        "of the same key twice in a record, the first one counts",
        (
            Edit(
                "src/record.rs",
                "            self.entries[at].value = entry.value;\n",
                "",
            ),
        ),
        ("tests/record.rs::keys_that_are_equal_in_python",),
    ),
    Mutation(
        "the second try of a change takes back what another request wrote",
        (
            Edit(
                "src/commit.rs",
                "                    wanted = Cow::Owned(merged);\n                }",
                "                    drop(merged);\n                }",
            ),
        ),
        ("tests/commit.rs::changed_sessions",),
    ),
    Mutation(
        "a contended change is tried without an end",
        (Edit("src/commit.rs", "if attempt == TRIES {", "if attempt == TRIES * 1000 {"),),
        ("tests/commit.rs::contended",),
    ),
    Mutation(
        "a session whose last key was removed keeps an empty record",
        (
            Edit(
                "src/commit.rs",
                "let empty = record::is_empty(&wanted);",
                "let empty = record::is_empty(&[]);",
            ),
        ),
        ("tests/commit.rs::emptied_key_by_key",),
    ),
    Mutation(
        "a new session takes an id that is taken",
        (
            Edit(
                "src/commit.rs",
                "                Created::Exists => {}",
                "                Created::Exists => {\n                    return Ok(Outcome::Written {\n"
                "                        key: Cow::Owned(key),\n"
                "                        record: Cow::Borrowed(record),\n"
                "                    });\n                }",
            ),
        ),
        ("tests/commit.rs::new_sessions",),
    ),
    Mutation(
        "regenerate is forgotten where nothing else changed",
        (
            Edit(
                "src/commit.rs",
                "if change.new_key.is_none() && change.baseline == Some(change.record) {",
                "if change.baseline == Some(change.record) {",
            ),
        ),
        ("tests/redis/test_contract.py::TestRegenerate",),
    ),
    Mutation(
        "clear() forgets that the session is permanent",
        (
            Edit(
                "src/py/redis_session.rs",
                "        dict.set_item(key, permanent)?;\n        slf.get().state().cleared",
                "        drop(permanent);\n        slf.get().state().cleared",
            ),
        ),
        ("tests/redis/test_contract.py::TestTruth::test_clear_keeps_permanent",),
    ),
    Mutation(
        "a record of another type is an error",
        (
            Edit(
                "src/store/redis.rs",
                '        Value::ServerError(error) if error.code() == "WRONGTYPE" => Loaded::Foreign,\n',
                "",
            ),
        ),
        ("tests/redis/test_failures_broken.py::test_a_record_of_another_type",),
    ),
    Mutation(
        "a record's expiry is not written",
        (
            Edit(
                "src/store/scripts.rs",
                "redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[4])\n",
                "redis.call('SET', KEYS[1], ARGV[2])\n",
            ),
        ),
        ("tests/store.rs::what_stands_in_the_server_is_the_record_and_its_expiry",),
    ),
    Mutation(
        "the other format is not read",
        (
            Edit(
                "src/record.rs",
                "            b'{' => Some(Self::Json),",
                "            b'{' => None,",
            ),
        ),
        ("tests/redis/test_contract.py::TestTheRecord",),
    ),
    # The server, and how it is spoken to.
    Mutation(
        "the database of the URL is passed over",
        (
            Edit(
                "src/store/connection.rs",
                "if endpoint.database != 0 {",
                "if endpoint.database == u32::MAX {",
            ),
        ),
        ("tests/redis/test_commands.py::TestTheNetwork::test_the_database_is_the_urls",),
    ),
    Mutation(
        "a server that forgot a script is an error",
        (
            Edit(
                "src/store/redis.rs",
                '        Value::ServerError(error) if error.code() == "NOSCRIPT" => None,\n',
                "",
            ),
        ),
        (
            "tests/redis/test_commands.py::TestTheNetwork::test_scripts_are_sent_again_where_the_server_forgot_them",
        ),
    ),
    Mutation(
        "a connection to a server that became a replica is kept",
        (
            Edit(
                "src/store/refusal.rs",
                'matches!(error.code(), "READONLY" | "MASTERDOWN" | "NOAUTH")',
                'matches!(error.code(), "MASTERDOWN")',
            ),
        ),
        ("tests/store_faults.rs::an_error_is_told_at_once_and_the_connection_goes_on",),
    ),
    Mutation(
        "a watch stays on a connection that is kept",
        (
            Edit(
                "src/store/transaction.rs",
                '                if let Ok(replies) = connection.exchange(&[cmd("UNWATCH")], call)\n'
                "                    && replies == [Value::Okay]\n"
                "                {\n                    store.put(connection);\n                }\n",
                "                store.put(connection);\n",
            ),
        ),
        ("tests/store_faults.rs::no_connection_is_kept_with_a_watch_on_it",),
    ),
    Mutation(
        "a signal does not end a wait",
        (
            Edit(
                "src/py/waiting.rs",
                "            handled.unwrap_or(Ok(()))?;\n",
                "            drop(handled);\n",
            ),
            Edit(
                "src/py/backend.rs",
                "if let Some(raised) = interruption.take() {",
                "if let Some(raised) = interruption.take()\n            && outcome.is_err()\n        {",
            ),
        ),
        ("tests/redis/test_signals.py::test_while_the_server_is_silent",),
    ),
    Mutation(
        "the event loop stands still while one waits",
        (
            Edit(
                "src/py/waiting.rs",
                "            return Ok(Some(Self::Gevent));",
                "            return Ok(None);",
            ),
        ),
        ("tests/redis/test_waiting.py::test_event_loops_go_on",),
    ),
    Mutation(
        "a client's store begins commands after the deadline",
        (
            Edit(
                "python/flask_session_rs/client_store.py",
                "        if time.monotonic() >= deadline:",
                "        if time.monotonic() >= deadline + 3600:",
            ),
        ),
        ("tests/redis/test_client_failures.py::test_no_command_is_begun_after_the_deadline",),
    ),
)
