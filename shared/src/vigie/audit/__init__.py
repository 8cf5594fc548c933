"""The audit log of a module: who changed what through the hub, in lines that are chained by hashes.

``record``: what a line says. ``chain``: lines that follow one another, and how a break is found. ``journal``: the
files. ``auditor``: the thread that writes them.
"""
