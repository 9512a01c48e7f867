"""Plays a person at the front's page, in Debian's Chromium.

Arguments: the name of the browser's program, the page's address, the token, the node that leads, the two others, and the
directory for pictures or "".
Talks to the test by lines: it says what it sees, and reads "go" before it goes on. Ends with 1 and a reason when the page
is not as it should be.
"""

import json
import re
import sys
import time

from playwright.sync_api import sync_playwright

BROWSER, PAGE, TOKEN, LEADER, SECOND, THIRD, PICTURES = sys.argv[1:8]
SEEN_WITHIN_MS = 2000
# WCAG 2.2, 1.4.3: text against what is behind it.
CONTRAST_MIN = 4.5

CONTRAST = """
() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = node => {
    for (; node; node = node.parentElement) {
      const colour = rgba(getComputedStyle(node).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return rgba(matchMedia("(prefers-color-scheme: dark)").matches ? "black" : "white");
  };
  const poor = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility() || ["SCRIPT", "STYLE", "NOSCRIPT", "title"].includes(node.tagName)) continue;
    const [a, b] = [light(rgba(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < MIN) poor.push(node.textContent.trim().slice(0, 40) + ": " + ratio.toFixed(2));
  }
  return poor;
}
""".replace("MIN", str(CONTRAST_MIN))


def say(what):
    print(what, flush=True)


def wait():
    if sys.stdin.readline().strip() != "go":
        sys.exit("the test went away")


def check(holds, what):
    if not holds:
        sys.exit(what)


def look(page, name):
    """Both widths, both schemes: no sideways scroll, nothing that cannot be read."""
    for width, height in [(390, 844), (1400, 900)]:
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ["light", "dark"]:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.wait_for_timeout(100)
            wide = page.evaluate("document.documentElement.scrollWidth")
            check(wide <= width, f"{name}: {wide} px wide at {width} px")
            poor = page.evaluate(CONTRAST)
            check(not poor, f"{name}, {scheme}, {width} px: poor contrast: {poor}")
            if PICTURES:
                page.screenshot(path=f"{PICTURES}/{name}-{width}-{scheme}.png", full_page=True)


def state(page, node, expected, within=30_000):
    row = page.locator(f"tr[data-node={node}]")
    row.locator(".state", has_text=re.compile(f"^{expected}$")).wait_for(timeout=within)


def main(play):
    browser = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    errors, elsewhere = [], []
    expected = [0]

    def console(message):
        if message.type in ("error", "warning"):
            # The browser itself writes a line for each answer that is no success; the page asked for one.
            if "401 (Unauthorized)" in message.text and expected[0] > 0:
                expected[0] -= 1
            else:
                errors.append(message.text)

    page.on("console", console)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith((PAGE, "data:")) else elsewhere.append(request.url))
    page.goto(PAGE)
    page.get_by_role("heading", name="Serving").wait_for()
    page.locator("#pulse[data-how=live]").wait_for()
    check("3 of 3" in page.locator("#facts").inner_text(), "three nodes are Up")
    check(f"Leader {LEADER}" in " ".join(page.locator("#facts").inner_text().split()), "the leader is named")
    check("127.0.0.1" in page.locator("#clients").inner_text(), "the client is shown")
    check("Create" in page.locator("#operations-card").inner_text(), "requests are counted by operation")
    label = page.locator("tbody tr svg.bars").first.get_attribute("aria-label")
    check("check" in label, f"bars have a text: {label}")
    look(page, "serving")

    page.set_viewport_size({"width": 1400, "height": 900})
    say("loaded")
    wait()
    # The test killed the leader at this moment.
    began = time.monotonic()
    state(page, LEADER, "Down", SEEN_WITHIN_MS)
    say(f"seen {int((time.monotonic() - began) * 1000)}")
    page.get_by_text("2 of 3").first.wait_for()
    page.locator("#overs li", has_text=f"{LEADER} lost").wait_for()
    look(page, "down")

    # By keyboard: a wrong token is told, the right one drains.
    page.set_viewport_size({"width": 1400, "height": 900})
    page.get_by_role("button", name=f"Drain {SECOND}").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    expected[0] = 1
    page.keyboard.type("a-wrong-token-0123456789")
    page.keyboard.press("Enter")
    dialog.get_by_text("the token is wrong").wait_for()
    look(page, "token")
    page.keyboard.type(TOKEN)
    page.keyboard.press("Enter")
    state(page, SECOND, "Draining")
    check(page.evaluate("localStorage.length") == 0, "nothing is kept beyond the tab")

    # The third is the last one that is Up now.
    page.get_by_role("button", name=f"Drain {THIRD}").click()
    dialog.get_by_text("last node that is Up").wait_for()
    look(page, "last")
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    state(page, THIRD, "Up")
    page.get_by_role("button", name=f"Take back {SECOND}").click()
    state(page, SECOND, "Up")

    say("drained")
    wait()
    # As when the stream breaks; the next try at it comes a good while later.
    page.evaluate("broken()")
    page.locator("#pulse[data-how=poll]").wait_for()
    say("polls")
    wait()
    # The node is back.
    state(page, LEADER, "Up")
    check(not errors, f"console: {errors}")
    check(not elsewhere, f"requests to elsewhere: {elsewhere}")

    bare = browser.new_context(java_script_enabled=False).new_page()
    bare.goto(PAGE)
    check("Serving on" in bare.locator("body").inner_text(), "the state is told without script")
    browser.close()
    say("done")


with sync_playwright() as play:
    main(play)
