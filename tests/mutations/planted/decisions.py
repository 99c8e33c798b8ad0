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
)
