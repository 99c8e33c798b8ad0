"""Planted faults: what a response says."""

from ..fault import Edit
from ..fault import Mutation

MUTATIONS = (
    Mutation(
        "Vary is forgotten",
        (
            Edit(
                "src/py/headers.rs",
                "Vary::Absent => self.list.append(field(py)?),",
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
        "a setting of the cookie that changed is not seen",
        (
            Edit(
                "src/py/cookie_settings.rs",
                "known.config.load(Ordering::Relaxed) == state",
                "known.config.load(Ordering::Relaxed) != 0 && state != 0",
            ),
        ),
        ("tests/test_keys.py::test_one_interface_with_other_settings_in_each_app",),
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
                "if self.texts.limit == 0 || text.len() <= self.texts.limit {",
                "if self.texts.limit == 0 || !text.is_empty() {",
            ),
        ),
        ("tests/test_contract.py::test_size_warning",),
    ),
    Mutation(
        "the method of another response is taken for a response's own",
        (
            Edit(
                "src/py/set_cookie.rs",
                "            && PyMethod_Self(found.as_ptr()) == object.as_ptr()\n",
                "            && !PyMethod_Self(found.as_ptr()).is_null()\n"
                "            && !object.is_none()\n",
            ),
        ),
        ("tests/test_extension_app.py::test_application_classes",),
    ),
    Mutation(
        "a cookie gets the date of an earlier one",
        (
            Edit(
                "src/py/set_cookie.rs",
                "        && *of == seconds\n",
                "        && *of <= seconds\n",
            ),
        ),
        ("tests/test_permanent.py::test_every_second_has_a_date_of_its_own",),
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
        "a permanent session that changed without a word is sealed as it came",
        (
            Edit(
                "src/py/session.rs",
                "if dict_state(dict) == Some(state) => {",
                "if dict_state(dict) != Some(0) && state != 0 => {",
            ),
        ),
        ("tests/test_permanent.py::test_changes_behind_its_back",),
    ),
    Mutation(
        "a permanent session that changed within an item is sealed as it came",
        (
            Edit(
                "src/py/decode.rs",
                "                self.is_flat = false;\n                self.array(",
                "                self.array(",
            ),
        ),
        ("tests/test_permanent.py::test_changes_behind_its_back",),
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
        ("tests/redis/test_commands.py::TestARequest::test_that_reads_sends_one",),
    ),
)
