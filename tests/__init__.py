"""Tests: unit (no broker), contract, integration (one service on real nodes), e2e, chaos, bench."""
