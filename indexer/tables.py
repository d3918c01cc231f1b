"""The indexer's tables: the chain's identity and cursor, the kept blocks, watches, deposits, spends, events."""

import sqlalchemy as sa

from runtime.columns import Instant, RowNumber, Units

metadata = sa.MetaData()

# One row (id 1). Its lock orders all writers, so event numbers are given in the order of commits.
cursor = sa.Table(
    "chain_cursor",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("chain_id", sa.BigInteger, nullable=False),
    sa.Column("genesis_hash", sa.String(66), nullable=False),
    # The ERC-20 contract that is counted, EIP-55; "": the native coin. Amounts of the two must never be mixed.
    sa.Column("token", sa.String(42), nullable=False, server_default=""),
    sa.Column("number", sa.BigInteger, nullable=False),  # the newest block that was read whole
    sa.Column("hash", sa.String(66), nullable=False),
    sa.Column("mined_at", Instant, nullable=False),
    sa.Column("verified", sa.BigInteger, nullable=False),  # up to here the open addresses' balances were checked
    sa.Column("swept", sa.BigInteger, nullable=False),  # the same for the dormant ones
    sa.Column("last_event", sa.BigInteger, nullable=False),
    sa.Column("last_deposit", sa.BigInteger, nullable=False),
    sa.Column("fence", sa.BigInteger, nullable=False),  # the writer's fencing token; an older one is refused
)

blocks = sa.Table(
    "chain_blocks",
    metadata,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.String(66), nullable=False),
    sa.Column("parent", sa.String(66), nullable=False),
    sa.Column("mined_at", Instant, nullable=False),
)

watches = sa.Table(
    "chain_watches",
    metadata,
    sa.Column("address", sa.String(42), primary_key=True),  # EIP-55
    sa.Column("tier", sa.String(8), nullable=False),
    sa.Column("baseline_number", sa.BigInteger, nullable=False),
    sa.Column("baseline_hash", sa.String(66), nullable=False),
    sa.Column("baseline_balance", Units, nullable=False),
    sa.Column("baseline_nonce", sa.BigInteger, nullable=False),
    # What the indexer has not taken in yet: "new" (blocks after the baseline may have to be read again), "tier", or "".
    # A mark and not a cursor: whatever the order of commits, none is overlooked.
    sa.Column("news", sa.String(4), nullable=False),
)
sa.Index(
    "ix_chain_watches_news", watches.c.news, sqlite_where=watches.c.news != "", postgresql_where=watches.c.news != ""
)

deposits = sa.Table(
    "chain_deposits",
    metadata,
    sa.Column("id", RowNumber, primary_key=True, autoincrement=False),
    sa.Column("address", sa.String(42), nullable=False),
    sa.Column("amount", Units, nullable=False),
    sa.Column("block_number", sa.BigInteger, nullable=False),
    sa.Column("block_hash", sa.String(66), nullable=False),
    sa.Column("tx_hash", sa.String(66), nullable=False),  # "": known by the balance alone
    sa.Column("path", sa.Text, nullable=False),  # the call inside the transaction, "" for the transaction itself
    sa.Column("sender", sa.String(42)),
    sa.Column("mined_at", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
    sa.Column("told", sa.Integer, nullable=False),  # the confirmations last told in an event
    sa.Column("confirmed", sa.Boolean, nullable=False),
    sa.Column("removed_at", Instant),  # taken back by a reorg
)
_STANDS = deposits.c.removed_at.is_(None)
sa.Index(
    "uq_chain_deposits_origin",
    deposits.c.block_hash,
    deposits.c.tx_hash,
    deposits.c.path,
    deposits.c.address,
    unique=True,
    sqlite_where=_STANDS,
    postgresql_where=_STANDS,
)
sa.Index("ix_chain_deposits_address", deposits.c.address)
sa.Index("ix_chain_deposits_block", deposits.c.block_number)
_UNSETTLED = sa.and_(_STANDS, sa.text("NOT confirmed"))  # a boolean that both databases read the same
sa.Index("ix_chain_deposits_unsettled", deposits.c.id, sqlite_where=_UNSETTLED, postgresql_where=_UNSETTLED)

# What watched addresses sent, value and gas: needed to know what their balance must be.
spends = sa.Table(
    "chain_spends",
    metadata,
    sa.Column("block_hash", sa.String(66), primary_key=True),
    sa.Column("tx_hash", sa.String(66), primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("address", sa.String(42), nullable=False),
    sa.Column("amount", Units, nullable=False),
    sa.Column("block_number", sa.BigInteger, nullable=False, index=True),
)
sa.Index("ix_chain_spends_address", spends.c.address)

# Append only.
events = sa.Table(
    "chain_events",
    metadata,
    sa.Column("seq", RowNumber, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(12), nullable=False),
    sa.Column("address", sa.String(42), nullable=False),
    sa.Column("deposit_id", sa.BigInteger, nullable=False),
    sa.Column("amount", Units, nullable=False),
    sa.Column("confirmations", sa.BigInteger, nullable=False),
    sa.Column("block_number", sa.BigInteger, nullable=False),
    sa.Column("block_hash", sa.String(66), nullable=False),
    sa.Column("tx_hash", sa.String(66)),
    sa.Column("at", Instant, nullable=False),
)

# What operators asked to be read again. The process that holds the indexer's lease does it.
rescans = sa.Table(
    "chain_rescans",
    metadata,
    sa.Column("id", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("first", sa.BigInteger, nullable=False),
    sa.Column("requested_at", Instant, nullable=False),
    sa.Column("reached", sa.BigInteger),  # read again up to here, for people to see; a restart begins anew
    sa.Column("finished_at", Instant),
    sa.Column("report", sa.JSON),  # what came of it
)
