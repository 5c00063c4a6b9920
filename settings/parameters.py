"""Parameters of PostgreSQL: whose they are, and which lose nothing whatever their value."""

import re

_OPERATORS = re.compile(
    r"""
    allow_system_table_mods | archive_(mode|command|cleanup_command|library) | bonjour(_name)? | cluster_name
    | (config|data|hba|ident|external_pid)_(file|directory) | data_(directory|sync_retry) | event_source
    | hot_standby | jit_provider | listen_addresses | logging_collector | port | primary_(conninfo|slot_name)
    | recovery_.+ | restore_command | shared_preload_libraries | temp_tablespaces | unix_socket_.+
    | log_(destination|directory|file_mode|filename|rotation_(age|size)|truncate_on_rotation) | pg_failover_slots\..+
    | promote_trigger_file | restart_after_crash | ssl | ssl_.+ | stats_temp_directory
    | synchron(ous_standby_names|ized_standby_slots) | syslog_.+
    """,
    re.VERBOSE,
)
"""What CloudNativePG sets itself, or refuses; from its list of fixed parameters."""

_HARMLESS = re.compile(
    r"""
    shared_buffers | huge_pages | work_mem | maintenance_work_mem | autovacuum_work_mem | logical_decoding_work_mem
    | effective_cache_size | temp_buffers | hash_mem_multiplier | temp_file_limit
    | max_connections | superuser_reserved_connections | reserved_connections
    | max_(worker_processes|parallel_.+|wal_senders|replication_slots|slot_wal_keep_size|locks_per_transaction)
    | (min|max)_wal_size | wal_(buffers|keep_size|compression|receiver_timeout|sender_timeout)
    | checkpoint_(timeout|completion_target|warning) | bgwriter_.+ | backend_flush_after
    | autovacuum | autovacuum_.+ | vacuum_cost_.+ | vacuum_buffer_usage_limit
    | (random|seq)_page_cost | cpu_.+_cost | parallel_.+_cost | effective_io_concurrency | maintenance_io_concurrency
    | default_statistics_target | jit | jit_.+_cost | enable_.+ | plan_cache_mode | (from|join)_collapse_limit
    | statement_timeout | lock_timeout | transaction_timeout | idle_(in_transaction_)?session_timeout | deadlock_timeout
    | client_connection_check_interval | tcp_(keepalives_(idle|interval|count)|user_timeout)
    | log_(checkpoints|connections|disconnections|duration|lock_waits|temp_files|autovacuum_min_duration|line_prefix
        |min_duration_statement|min_duration_sample|min_messages|min_error_statement|statement|timezone|recovery_conflict_waits)
    | track_.+ | compute_query_id | hot_standby_feedback | max_standby_(streaming|archive)_delay
    | timezone | lc_(messages|monetary|numeric|time) | datestyle | default_text_search_config
    | (pg_stat_statements|auto_explain|pgaudit)\.[a-z0-9_]+
    """,
    re.VERBOSE,
)


def is_the_operators(name: str) -> bool:
    """Whether CloudNativePG accepts no value of a parameter."""
    return bool(_OPERATORS.fullmatch(name))


def loses_nothing(name: str) -> bool:
    """Whether a parameter changes how fast, how much or what is logged, and never what a commit promises."""
    return bool(_HARMLESS.fullmatch(name))
