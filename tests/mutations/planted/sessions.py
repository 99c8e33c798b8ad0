"""Planted faults: what a cookie and a session hold."""

from ..fault import Edit
from ..fault import Mutation

MUTATIONS = (
    Mutation(
        "of two cookies with the name of the session's, the last one counts",
        (
            Edit(
                "src/cookie.rs",
                "                if !has_blank_or_quote(value) {",
                "                let later = next.and_then(|next| find(&rest[next..], name));\n"
                "                if later.is_some() {\n                    return later;\n                }\n"
                "                if !has_blank_or_quote(value) {",
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
        "keys that are not in order are written as they come",
        (
            Edit(
                "src/py/encode.rs",
                "                    return Ok(false);\n                }\n                self.out.push(b',');",
                "                    self.out.push(b' ');\n                }\n                self.out.push(b',');",
            ),
        ),
        ("tests/test_serialization.py::test_same_json",),
    ),
    Mutation(
        "another class that comes next in line is not asked for null sessions",
        (
            Edit(
                "src/py/null_sessions.rs",
                'if name == "is_null_session" {\n                next.getattr_opt(name)',
                'if name == "is_null_session" {\n                next.getattr_opt("null_session_class")?;\n'
                '                py.import("flask.sessions")?.getattr("SessionInterface")?.getattr_opt(name)',
            ),
        ),
        ("tests/test_null_session.py::test_answered_by_another_base",),
    ),
    Mutation(
        "a class of null sessions on the interface object itself is not seen",
        (
            Edit(
                "src/py/null_sessions.rs",
                '!attributes.is_empty() && attributes.contains(intern!(py, "null_session_class"))?',
                'attributes.len() > 9 && attributes.contains(intern!(py, "null_session_class"))?',
            ),
        ),
        ("tests/redis/test_hooks.py::test_a_null_class_that_all_sessions_are_of",),
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
                "        if added {\n            Self::touch(slf)?;\n        }",
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
                "        UPDATE.call(slf.py(), (slf, other))?;\n        Self::touch(slf)\n",
                "        UPDATE.call(slf.py(), (slf, other))?;\n        Ok(())\n",
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
    Mutation(
        "a session class of the application's own does not hear of changes",
        (Edit("src/py/session.rs", " && on_update::is_own_class(slf)?", ""),),
        (
            "tests/test_session_copies.py::test_subclasses_in_requests",
            "tests/redis/test_hooks.py::test_a_session_class_hears_of_changes",
        ),
    ),
    Mutation(
        "on_update is passed over",
        (Edit("src/py/session.rs", "if !slf.get().watched.load(Ordering::Relaxed) && ", "if "),),
        ("tests/test_session_copies.py::test_on_update",),
    ),
    Mutation(
        "a session that another request used is filled once more",
        (
            Edit(
                "src/py/session.rs",
                "if this.source.set(source).is_err() {",
                "if this.source.set(source).is_err() && false {",
            ),
        ),
        ("tests/redis/test_hooks.py::test_a_session_object_serves_one_request",),
    ),
    Mutation(
        "an untouched cookie is judged by the settings at the end of the request",
        (
            Edit(
                "src/py/secure_cookie.rs",
                "            match sealed.refresh_due(py)? {",
                "            let plan = Arc::clone(&plan);\n"
                "            let header = sealed.header.clone_ref(py);\n"
                "            match (SealedCookie { header, plan }).refresh_due(py)? {",
            ),
        ),
        ("tests/test_permanent.py::test_settings_that_change_meanwhile",),
    ),
    Mutation(
        "a value that cannot be written fails before Vary is set",
        (
            Edit(
                "src/py/encode.rs",
                "Err(Stop::Raised(error)) if is_ordinary(data.py(), &error) => Ok(Coverage::Flask),",
                "Err(Stop::Raised(error)) if is_ordinary(data.py(), &error) => Err(error),",
            ),
        ),
        ("tests/test_changing_interfaces.py::test_a_date_that_cannot_be_written",),
    ),
    Mutation(
        "a session class of the application's own is not asked whether it changed",
        (
            Edit(
                "src/py/redis_save.rs",
                "if self.is_own_class()? {\n            return Ok(self.session.as_super().get().is_modified",
                "if !self.app.is_none() {\n            return Ok(self.session.as_super().get().is_modified",
            ),
        ),
        ("tests/redis/test_session_classes.py::test_session_classes",),
    ),
    Mutation(
        "a record expires by the settings at the beginning of the request, its cookie by those at the end",
        (
            Edit(
                "src/py/redis_save.rs",
                "self.settings.refresh && source.slide() != Some(self.settings.ttl)",
                "self.settings.refresh && source.slide() != Some(self.settings.ttl) && false",
            ),
        ),
        ("tests/redis/test_session_classes.py::test_a_record_lives_as_long_as_its_cookie",),
    ),
)
