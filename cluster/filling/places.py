"""The demo region's clinics: invented clinics in real cities of twelve time zones.

Chosen for their time zones: with and without daylight saving, both hemispheres, offsets
of half and three quarters of an hour, and one place whose summer time is half an hour.
"""

from __future__ import annotations

from actors.domain.ids import ClinicId
from actors.domain.rules import Clinic

# name, zone, street, city, postcode, country, latitude, longitude, phone
_HOUSES = (
    ("Harbour Lane Health Centre", "Europe/London", "14 Harbour Lane", "Bristol",
     "BS1 0ZZ", "GB", 51.4510, -2.5980, "+44 117 496 0001"),
    ("Praxisgemeinschaft Lindenhof", "Europe/Berlin", "Lindenhof 3", "Leipzig",
     "04109", "DE", 51.3397, 12.3731, "+49 341 5550 102"),
    ("Casa da Saúde do Rio", "Europe/Lisbon", "Rua do Cais 21", "Porto",
     "4050-001", "PT", 41.1403, -8.6110, "+351 22 555 0103"),
    ("Iatreio Elaionas", "Europe/Athens", "Odos Elaionas 8", "Patras",
     "262 21", "GR", 38.2466, 21.7346, "+30 261 055 5104"),
    ("Maple Row Family Practice", "America/New_York", "208 Maple Row", "Rochester",
     "14604", "US", 43.1566, -77.6088, "+1 585 555 0105"),
    ("Signal Cove Clinic", "America/St_Johns", "5 Signal Cove Road", "St. John's",
     "A1C 0A1", "CA", 47.5615, -52.7126, "+1 709 555 0106"),
    ("Clínica Ipê Amarelo", "America/Sao_Paulo", "Rua dos Ipês 77", "Vitória",
     "29010-000", "BR", -20.3155, -40.3128, "+55 27 5550 0107"),
    ("Jacaranda Medical House", "Africa/Nairobi", "Jacaranda Close 2", "Nairobi",
     "00100", "KE", -1.2864, 36.8172, "+254 20 555 0108"),
    ("Neem Tree Polyclinic", "Asia/Kolkata", "12 Neem Tree Road", "Pune",
     "411001", "IN", 18.5204, 73.8567, "+91 20 5550 0109"),
    ("Himal View Health Post", "Asia/Kathmandu", "Patan Marg 6", "Lalitpur",
     "44700", "NP", 27.6667, 85.3167, "+977 1 555 0110"),
    ("Wattle Street Surgery", "Australia/Adelaide", "31 Wattle Street", "Adelaide",
     "5000", "AU", -34.9285, 138.6007, "+61 8 5550 0111"),
    ("Lagoon Island Practice", "Australia/Lord_Howe", "Lagoon Road 1", "Lord Howe",
     "2898", "AU", -31.5550, 159.0770, "+61 2 5550 0112"),
)  # fmt: skip


def clinics() -> tuple[Clinic, ...]:
    """The dozen clinics, ``cln_1`` to ``cln_12``."""
    return tuple(
        Clinic(
            clinic_id=ClinicId(f"cln_{number}"),
            name=name,
            time_zone=zone,
            address=street,
            city=city,
            postcode=postcode,
            country=country,
            latitude=latitude,
            longitude=longitude,
            phone=phone,
        )
        for number, (
            name, zone, street, city, postcode, country, latitude, longitude, phone,
        ) in enumerate(_HOUSES, start=1)
    )  # fmt: skip
