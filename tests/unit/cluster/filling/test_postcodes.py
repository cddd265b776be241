"""Where postcodes are becomes where clinics are; what is known of places stays."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from actors.domain.ids import ClinicId
from actors.domain.rules import Clinic
from cluster import cli
from cluster.filling.postcodes import OtherColumns, read_postcodes
from cluster.site.site import Site
from persistence.readmodel.queries.directory import SqlDirectory
from persistence.sql.engine import open_engine
from tests.fixtures.small_site import made_site

SAMPLE = Path(__file__).parents[3] / "samples" / "practices_good.csv"
ONSPD = """pcd,pcds,lat,long,usertype
"LH1 2AB","LH1 2AB",53.5,-1.25,0
"ZZ1 1ZZ","ZZ1 1ZZ",51.0,0.1,0
"LH9 9ZZ","LH9 9ZZ",99.999999,0.000000,0
"""


def test_places_are_found_by_the_columns_names() -> None:
    """Whatever the spaces and capitals; only what is wanted, and only real places."""
    wanted = {"LH12AB", "LH99ZZ", "XX11XX"}
    found = read_postcodes(ONSPD.splitlines(), wanted)
    assert found == {"LH12AB": (53.5, -1.25)}
    other = ["Postcode , Longitude,x, LAT", "lh1  2ab,-2,,54", "xx1 1xx,,,", "XX11XX"]
    assert read_postcodes(other, wanted) == {"LH12AB": (54.0, -2.0)}


@pytest.mark.parametrize("row", ["nan,nan", "inf,0", "x,y", "91,0", "0,181"])
def test_what_is_no_place_is_left_out(row: str) -> None:
    """A number that no place has is none."""
    assert read_postcodes(["postcode,lat,long", f"LH1 2AB,{row}"], {"LH12AB"}) == {}


@pytest.mark.parametrize("lines", [[], ["postcode,lat"], ["a,b,c", "1,2,3"]])
def test_another_file_is_refused(lines: list[str]) -> None:
    """A file without these columns is no list of postcodes."""
    with pytest.raises(OtherColumns):
        read_postcodes(lines, {"LH12AB"})


class Imports:
    """Imports into a site of its own, and what its directory has afterwards."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._monkeypatch = folder, monkeypatch
        self._site: Site = made_site(data=folder / "data")
        assert self.run("migrate") == 0

    def run(self, *words: str) -> int:
        argv = ["slotcast", *words, "--data", str(self._folder / "data")]
        self._monkeypatch.setattr("sys.argv", argv)
        return cli.main()

    def places(self, *edits: Clinic) -> dict[str, tuple[float | None, float | None]]:
        """Where clinics are, after these edits of their own."""

        async def read() -> dict[str, tuple[float | None, float | None]]:
            reader = open_engine(self._site.database_url, "reader")
            writer = open_engine(self._site.database_url, "writer")
            try:
                directory = SqlDirectory(reader, writer)
                await directory.put_clinics(edits)
                found, _ = await directory.find_clinics("", after="", limit=10)
                return {one.clinic_id: (one.latitude, one.longitude) for one in found}
            finally:
                await reader.dispose()
                await writer.dispose()

        return asyncio.run(read())


def test_an_import_places_clinics_and_unplaces_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With postcodes; a place that a clinic gave itself outlives the next list."""
    places = tmp_path / "places.csv"
    places.write_text(ONSPD, "utf-8")
    imports = Imports(tmp_path, monkeypatch)
    words = ("import", "practices", str(SAMPLE))
    assert imports.run(*words, "--postcodes", str(places)) == 0
    assert "with_place" in capsys.readouterr().out.replace(" ", "_")
    one, other = "cln_X90001", "cln_X90002"
    at = imports.places()
    assert (at[one], at[other]) == ((53.5, -1.25), (None, None))
    by_hand = Clinic(ClinicId(other), "Known", "Europe/London")
    imports.places(replace(by_hand, latitude=51.5, longitude=0.5))
    assert imports.run(*words) == 0
    at = imports.places()
    assert (at[one], at[other]) == ((53.5, -1.25), (51.5, 0.5))
    places.write_text("a,b\n", "utf-8")
    assert imports.run(*words, "--postcodes", str(places)) != 0
