"""Planted faults: whether native code or Flask's answers, and for how long an answer holds."""

from ..fault import Edit
from ..fault import Mutation

MUTATIONS = (
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
                "            && (kept.settings.signer.is_none() || same_fallbacks(&kept.fallbacks, config)?)\n",
                "",
            ),
        ),
        ("tests/redis/test_contract_ids.py::TestTheSignedId::test_fallback_keys_change_in_place",),
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
                "src/py/verdicts.rs",
                "    attributes.iter().any(|(name, _)| is_one_of(&name, &HOOKS))",
                "    attributes.iter().any(|(name, _)| is_one_of(&name, &HOOKS) && name.is_none())",
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
                "                if key in app.config:\n",
                '                if key in app.config and key != "SESSION_USE_SIGNER":\n',
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
    Mutation(
        "a salt that an interface computes is asked for once",
        (
            Edit(
                "src/py/plan.rs",
                "if !is_plain_value(interface, &attributes, name)? {",
                "if name.is_empty() {",
            ),
        ),
        (
            "tests/test_changing_interfaces.py::test_values_that_are_computed",
            "tests/test_changing_interfaces.py::test_values_in_a_slot",
        ),
    ),
    Mutation(
        "a session class that an interface computes is asked for once",
        (
            Edit(
                "src/py/verdicts.rs",
                '        && is_plain_value(interface, attributes, "session_class")?\n',
                "",
            ),
            Edit(
                "src/py/plan.rs",
                "if !is_plain_value(interface, &attributes, name)? {",
                'if name != "session_class" && !is_plain_value(interface, &attributes, name)? {',
            ),
        ),
        ("tests/test_changing_interfaces.py::test_values_that_are_computed",),
    ),
    Mutation(
        "what is patched onto Flask's own interface is passed over",
        (Edit("src/py/verdicts.rs", "        && stock.is_untouched(py)?\n", ""),),
        ("tests/test_changing_interfaces.py::test_patches",),
    ),
    Mutation(
        "a serializer that is patched while the application runs is passed over",
        (
            Edit(
                "src/py/plan.rs",
                "            || !self.serializer.is(stock.serializer.bind(py))\n",
                "",
            ),
        ),
        ("tests/test_changing_interfaces.py::test_patches",),
    ),
    Mutation(
        "an attribute of the interface is kept alive",
        (
            Edit(
                "src/py/states.rs",
                "if !has_no_references && let Ok",
                "if value.is_none() && let Ok",
            ),
        ),
        ("tests/test_changing_interfaces.py::test_applications_are_collected",),
    ),
    Mutation(
        "an interrupt while settings are read is swallowed",
        (
            Edit(
                "src/py/cookie_settings.rs",
                "Err(error) if is_ordinary(py, &error) => return Ok(None),",
                "Err(error) if is_ordinary(py, &error) || true => return Ok(None),",
            ),
        ),
        ("tests/test_changing_interfaces.py::test_an_interrupt_is_not_lost",),
    ),
    Mutation(
        "a session in Redis keeps its interface alive",
        (
            Edit(
                "src/py/redis_source.rs",
                "    pub options: Arc<Options>,\n",
                "    pub options: Arc<Options>,\n    pub _keeps: Py<super::redis::RedisInterface>,\n",
            ),
            Edit(
                "src/py/redis.rs",
                "            options: Arc::clone(options),\n",
                "            options: Arc::clone(options),\n            _keeps: slf.clone().unbind(),\n",
            ),
        ),
        ("tests/redis/test_hooks.py::test_applications_are_collected",),
    ),
)
