"""A model proposed for a table: what each column is, which family suits it, and how many components."""

from typing import TYPE_CHECKING

from dmlcore.base.lazy import lazily

if TYPE_CHECKING:
    from dmlcore.proposal.proposing import propose
    from dmlcore.proposal.result import Considered, LeftOut, Proposal, ProposedColumn
else:
    __getattr__ = lazily(
        __name__,
        {"dmlcore.proposal.proposing": "propose", "dmlcore.proposal.result": "Considered LeftOut Proposal ProposedColumn"},
    )

__all__ = ["Considered", "LeftOut", "Proposal", "ProposedColumn", "propose"]
