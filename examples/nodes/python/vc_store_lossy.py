#!/usr/bin/env python3
"""A FAULTY `vc` store: vc_store.py, but a write advances the *node's* entry instead of the client's.

    sibcheck check --dialect vc --bin 'python3 examples/nodes/python/vc_store_lossy.py'

The mistake is the classic one of Dynamo's children with one clock entry a server. Two clients write
blindly through one node, neither having seen the other's value:

    c1 writes "a", context {}    ->  vc {"n1": 1}
    c2 writes "b", context {}    ->  vc {"n1": 2}    which covers {"n1": 1}, so "a" is dropped

The writes are concurrent, but their clocks are not. That breaks *clock precision* (a clock is greater
without its write having followed), and with it *no lost update*: "a" was acknowledged, and no write
that had seen it replaced it. Entries by client mend this, and so do dotted version vectors
(Preguiça et al. 2010, "Dotted Version Vectors: Logical Clocks for Optimistic Replication", section 3).
"""

import sys

sys.dont_write_bytecode = True  # so that looking at an example leaves nothing behind

import vc_store


class LossyNode(vc_store.Node):
    def actor(self, client):
        return self.name


if __name__ == "__main__":
    vc_store.main(LossyNode())
