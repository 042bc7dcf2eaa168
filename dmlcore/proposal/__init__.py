"""A model proposed for a table: what each column is, which family suits it, and how many components."""

from dmlcore.proposal.proposing import propose
from dmlcore.proposal.result import Considered, LeftOut, Proposal, ProposedColumn

__all__ = ["Considered", "LeftOut", "Proposal", "ProposedColumn", "propose"]
