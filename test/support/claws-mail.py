"""
claws-mail under the eyes of a screen reader (AT-SPI). One command a line on standard input, one answer a line on standard
output, both JSON: {"select": 1} shows that message of the outbox; {"compose": FILE, "protect": ["Sign", "Encrypt"]} sends
what the file holds. The answer is what then stands on the screen.
"""

import json
import subprocess
import sys
import time

import pyatspi

PAUSE_S = 0.25
PATIENCE_S = 30
STEADY = 8
# What holds no text of a message, and much else.
ASIDE = {"menu bar", "tool bar", "tree table", "table", "status bar", "scroll bar", "combo box"}
# The text of the inbox's only message: shown between two others, it tells them apart.
BLANK = "Nothing to see here."
SILENT = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def walk(node, menus=False):
    try:
        if node is None or (node.getRoleName() in ASIDE and not menus):
            return
        yield node
        for index in range(node.childCount):
            yield from walk(node.getChildAtIndex(index), menus)
    except Exception:  # a window that is just being closed
        return


def windows():
    desktop = pyatspi.Registry.getDesktop(0)
    desktop.clear_cache()  # nobody listens to the events that would tell it of new windows
    return [window for app in desktop if app and app.name == "claws-mail" for window in app if window]


def showing(node, role):
    return node.getRoleName() == role and node.getState().contains(pyatspi.STATE_SHOWING)


def texts(role):
    return [
        node.queryText().getText(0, -1)
        for window in windows()
        for node in walk(window)
        if showing(node, role)
    ]


def until(found):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(PAUSE_S)
    return None


def run(*options):
    """Tells the program that is running; if there is none, this would become it."""
    subprocess.run(["claws-mail", *options], **SILENT, timeout=PATIENCE_S, check=True)


def screen():
    return {"text": "\n".join(texts("text")), "labels": texts("label")}


def select(number):
    """A screen that stays is the last one: a signature is checked after the text is shown. A folder is read when it is opened."""
    run("--select", "#mh/Mail/inbox/1")
    until(lambda: BLANK in screen()["text"])
    run("--select", f"#mh/Mail/outbox/{number}")
    seen = []

    def settled():
        seen.append(screen())
        return BLANK not in seen[-1]["text"] and all(each == seen[-1] for each in seen[-STEADY:]) and len(seen) > STEADY and seen[-1]

    return until(settled) or seen[-1]


def compositions():
    return [window for window in windows() if "Compose" in window.name]


def press(role, name):
    def found():
        for window in compositions():
            for node in walk(window, menus=True):
                if node.getRoleName() == role and node.name == name:
                    return node

    node = until(found)
    if node is not None:
        node.queryAction().doAction(0)
        time.sleep(PAUSE_S)


def compose(file, protect):
    run("--compose-from-file", file)
    for name in protect:
        press("check menu item", name)
    press("push button", "Send")
    until(lambda: not compositions())
    return screen()


program = subprocess.Popen(["claws-mail"], **SILENT)
try:
    until(windows)
    for line in sys.stdin:
        command = json.loads(line)
        answer = select(command["select"]) if "select" in command else compose(command["compose"], command["protect"])
        print(json.dumps(answer), flush=True)
finally:
    program.kill()
