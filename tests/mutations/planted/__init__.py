"""The faults that are planted, as data: what each is, the text that makes it, and the tests that are to find it."""

from ..fault import Mutation
from . import concurrency
from . import connections
from . import decisions
from . import outages
from . import records
from . import responses
from . import server
from . import sessions
from . import tokens

#: By subject, in the order of the report.
SUBJECTS = (
    tokens,
    responses,
    connections,
    concurrency,
    outages,
    decisions,
    sessions,
    records,
    server,
)

MUTATIONS: tuple[Mutation, ...] = tuple(
    mutation for subject in SUBJECTS for mutation in subject.MUTATIONS
)
