"""What every test relies on.

No example has a deadline: the machine that runs the tests may be busy with something else. Ctrl-C means Ctrl-C, even
where the run was started in the background, where shells have it ignored.
"""

import signal

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
signal.signal(signal.SIGINT, signal.default_int_handler)
