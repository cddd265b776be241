"""Limits of the build: what a patient loads, and what never."""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.sync_api import expect

from tests.web.conftest import Browsing

PATIENT_BYTES_MAX = 110_000
"""Brotli script that the shell, the search and a provider's page need to be painted."""
LATER_BYTES_MAX = 20_000
"""What comes after the paint: suggestions, live board, booking dialog, refusals."""
LATER = (
    *(
        f"src/patient/{one}.tsx"
        for one in ("board", "combo", "demo", "hold", "refused")
    ),
    "src/patient/changes.ts",
)
REFINE_BYTES_MAX = 2_500
"""What a search loads besides: filters, and orders."""
FOLLOWING_BYTES_MAX = 2_000
"""What keeps a list of results as it becomes; loaded after the list."""
SYMPTOMS_BYTES_MAX = 2_000
"""What describing a complaint adds, its sentences too."""
STAFF = re.compile(r"src/(desk|clinic|reports|ops)/|i18n/(desk|clinic|reports|ops)/")


def _manifest(built: Path) -> dict[str, dict[str, list[str]]]:
    return dict(json.loads((built / ".vite" / "manifest.json").read_text("utf-8")))


def _closure(manifest: dict[str, dict[str, list[str]]], roots: list[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += manifest[key].get("imports", [])
    return found


def test_the_patient_route_is_small(built: Path) -> None:
    """Counted over all that these pages import, as the server sends it."""
    manifest = _manifest(built)
    first = ["index.html", "src/patient/provider.tsx", "src/i18n/patient/en.po"]
    sizes = _sizes(built, _closure(manifest, first))
    assert sum(sizes.values()) <= PATIENT_BYTES_MAX, sizes
    whole = _closure(manifest, [*first, *LATER, "src/i18n/later/en.po"])
    later = {
        name: size for name, size in _sizes(built, whole).items() if name not in sizes
    }
    assert sum(later.values()) <= LATER_BYTES_MAX, later
    refine = str(manifest["src/patient/refine.tsx"]["file"])
    assert (built / f"{refine}.br").stat().st_size <= REFINE_BYTES_MAX
    following = str(manifest["src/patient/following.tsx"]["file"])
    assert (built / f"{following}.br").stat().st_size <= FOLLOWING_BYTES_MAX
    part = _closure(manifest, ["src/patient/symptoms.tsx", "src/i18n/about/en.po"])
    added = _sizes(built, part - whole)
    assert sum(added.values()) <= SYMPTOMS_BYTES_MAX, added


def _sizes(built: Path, keys: set[str]) -> dict[str, int]:
    manifest = _manifest(built)
    files = {str(manifest[key]["file"]) for key in keys}
    return {name: (built / f"{name}.br").stat().st_size for name in files}


def test_patients_load_no_page_of_staff(browsing: Browsing, built: Path) -> None:
    """Neither code nor sentences, on any page that a patient opens."""
    manifest = _manifest(built)
    staff = {str(manifest[key]["file"]) for key in manifest if STAFF.search(key)}
    assert staff, "the build has no page of staff: the pattern is wrong"
    page = browsing.open("/", "patient", service_workers="block")
    loaded: set[str] = set()
    page.on("request", lambda one: loaded.add(one.url.rpartition("/assets/")[2]))
    for path, shown in (
        ("/", ".next a"),
        ("/p/prv_4?type=consult", ".slot"),
        ("/me/visits", "h1"),
        ("/me/settings", ".session"),
    ):
        page.goto(browsing.address + path)
        expect(page.locator(shown).first).to_be_visible()
    assert loaded
    assert not {f"assets/{one}" for one in loaded} & staff


def test_the_first_page_does_not_jump(browsing: Browsing) -> None:
    """What comes later has its room from the start: layout shift stays under 0.1."""
    page = browsing.page_of(browsing.person())
    page.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => { for (const one of "
        "list.getEntries()) if (!one.hadRecentInput) window.shift += one.value; })"
        ".observe({type: 'layout-shift', buffered: true});"
    )
    page.goto(browsing.address)
    expect(page.locator(".said")).to_contain_text("free")
    assert page.evaluate("window.shift") < 0.1
