"""The reports 统计报表: a read model that events feed, the answers from it, their files, and the monthly message."""
