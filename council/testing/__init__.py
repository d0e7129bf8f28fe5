"""What tests of the council, and of members written elsewhere, build on.

`scripted` is a member that answers from a queue, for tests and demonstrations; `contracts` holds the tests that every
member must pass, to be subclassed. To extend: a new kind of part gets a contract class here and a line in this text.
"""
