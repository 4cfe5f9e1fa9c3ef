"""The sentences of the demo corpus: English and German side by side, with slots for phrases and for nouns.

A slot is a phrase of `slots.SLOTS` (a value) or a noun phrase of `NOUNS`. Sentences begin in lower case where
a clause may also stand second ("..., and the bus ..."); names keep their capital.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from functools import cached_property

from pipelines.demo.phrase import Phrase
from pipelines.demo.slots import SLOTS


def kind_of(slot: str) -> str:
    """The kind of phrase or noun in a slot: `city2` is a second `city`."""
    return slot.rstrip("0123456789")


@dataclass(frozen=True)
class Template:
    """One sentence in both languages, with the same slots on both sides."""

    source: str
    target: str

    @cached_property
    def slots(self) -> tuple[str, ...]:
        """Slot names in the order of the English side."""
        return tuple(name for _, name, _, _ in string.Formatter().parse(self.source) if name)

    @property
    def values(self) -> tuple[str, ...]:
        """The slots that hold values, not nouns: what held-out combinations are made of."""
        return tuple(name for name in self.slots if kind_of(name) in SLOTS)

    @property
    def is_clause(self) -> bool:
        """Whether it lacks its final mark, and may be joined to another."""
        return not self.source.endswith((".", "?", "!"))


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Lines of `english | german`."""
    rows = (line.split(" | ") for line in text.strip().splitlines())
    return tuple((source.strip(), target.strip()) for source, target in rows)


def _nouns(text: str) -> tuple[Phrase, ...]:
    return tuple(Phrase(source, target) for source, target in _pairs(text))


_NAMES = "Alice Anton Ben Bruno Clara Daniel Emma Felix Greta Hannah Ida Jakob Julia Karl Lena Lukas Maria Max Nora"

# German noun phrases stand in the nominative (plural nouns without an article: accusative as well).
NOUNS: dict[str, tuple[Phrase, ...]] = {
    "name": tuple(Phrase(name, name) for name in _NAMES.split()),
    "item": _nouns("""
        the book | das Buch
        the bicycle | das Fahrrad
        the lamp | die Lampe
        the chair | der Stuhl
        the table | der Tisch
        the coat | der Mantel
        the camera | die Kamera
        the umbrella | der Regenschirm
        the cake | der Kuchen
        the map | die Karte
        the watch | die Uhr
        the guitar | die Gitarre
        the mirror | der Spiegel
        the carpet | der Teppich
        the bed | das Bett
        the hat | der Hut
    """),
    "event": _nouns("""
        the meeting | die Sitzung
        the concert | das Konzert
        the course | der Kurs
        the lecture | der Vortrag
        the exhibition | die Ausstellung
        the exam | die Prüfung
        the party | die Feier
        the match | das Spiel
        the conference | die Konferenz
        the tour | die Führung
        the film | der Film
        the play | das Theaterstück
    """),
    "house": _nouns("""
        the museum | das Museum
        the library | die Bibliothek
        the shop | der Laden
        the pharmacy | die Apotheke
        the bakery | die Bäckerei
        the zoo | der Zoo
        the bank | die Bank
        the restaurant | das Restaurant
        the swimming pool | das Schwimmbad
        the town hall | das Rathaus
    """),
    "vehicle": _nouns("""
        the train | der Zug
        the bus | der Bus
        the ferry | die Fähre
        the tram | die Straßenbahn
        the taxi | das Taxi
    """),
    "path": _nouns("""
        the bridge | die Brücke
        the river | der Fluss
        the tunnel | der Tunnel
        the road | die Straße
        the wall | die Mauer
        the trail | der Wanderweg
        the beach | der Strand
    """),
    "tower": _nouns("""
        the tower | der Turm
        the mountain | der Berg
        the tree | der Baum
        the building | das Gebäude
        the statue | die Statue
        the hill | der Hügel
    """),
    "load": _nouns("""
        the parcel | das Paket
        the suitcase | der Koffer
        the box | die Kiste
        the machine | die Maschine
        the horse | das Pferd
        the boat | das Boot
        the stone | der Stein
    """),
    "vessel": _nouns("""
        the tank | der Tank
        the barrel | das Fass
        the bathtub | die Badewanne
        the basin | das Becken
        the kettle | der Kessel
    """),
    "land": _nouns("""
        the forest | der Wald
        the lake | der See
        the island | die Insel
        the park | der Park
        the garden | der Garten
        the field | das Feld
    """),
    "group": _nouns("""
        the company | das Unternehmen
        the school | die Schule
        the club | der Verein
        the hotel | das Hotel
        the village | das Dorf
        the team | das Team
        the farm | der Bauernhof
    """),
    "things": _nouns("""
        books | Bücher
        letters | Briefe
        bottles | Flaschen
        chairs | Stühle
        cars | Autos
        photos | Fotos
        apples | Äpfel
        lamps | Lampen
        bicycles | Fahrräder
        computers | Computer
    """),
    "people": _nouns("""
        visitors | Besucher
        members | Mitglieder
        children | Kinder
        guests | Gäste
        tourists | Touristen
        musicians | Musiker
    """),
}

_MONEY = """
    {item} costs {price} | {item} kostet {price}
    {item} only costs {money_written} | {item} kostet nur {money_written}
    {name} paid {price} in {city} | {name} zahlte in {city} {price}
    {name} paid {money_spoken} in cash | {name} zahlte {money_spoken} in bar
    {name} sold it for {money_written} | {name} verkaufte es für {money_written}
    {name} saves {money_spoken} every month | {name} spart jeden Monat {money_spoken}
    {group} owes {name} {price} | {group} schuldet {name} {price}
    {group} donated {money_written} | {group} spendete {money_written}
    the rent is {price} a month | die Miete beträgt {price} im Monat
    the total comes to {money_spoken} | die Summe beträgt {money_spoken}
    the fine was {money_written} | das Bußgeld betrug {money_written}
    a ticket to {city} costs {price} | eine Fahrkarte nach {city} kostet {price}
    a flight to {city} costs {money_written} | ein Flug nach {city} kostet {money_written}
    Does {item} really cost {price}? | Kostet {item} wirklich {price}?
    Total: {price}. | Gesamtbetrag: {price}.
"""

_DATES = """
    {event} is on {date} | {event} ist am {date}
    {event} is on {date_full_dative} | {event} ist am {date_full_dative}
    {event} takes place on {date_iso} | {event} findet am {date_iso} statt
    {event} begins on {day_month_spoken} | {event} beginnt am {day_month_spoken}
    {event} ends on {day_month} | {event} endet am {day_month}
    {event} lasts from {date_span} | {event} dauert vom {date_span}
    {event} was moved to {date_numeric} | {event} wurde auf den {date_numeric} verlegt
    {name} was born on {date} in {city} | {name} wurde am {date} in {city} geboren
    {name} arrived in {city} on {date_numeric} | {name} kam am {date_numeric} in {city} an
    {name} has been living in {country} since {month_year} | {name} lebt seit {month_year} in {country}
    {name} is leaving for {country} in {month} | {name} reist im {month} nach {country}
    {name} started work on {date_iso} | {name} begann am {date_iso} mit der Arbeit
    {name} celebrates a birthday on {day_month_spoken} | {name} feiert am {day_month_spoken} Geburtstag
    the contract was signed on {date} | der Vertrag wurde am {date} unterzeichnet
    the offer is valid until {date} | das Angebot gilt bis zum {date}
    the letter is dated {date_iso} | der Brief ist vom {date_iso}
    the holidays last until the end of {month_year} | die Ferien dauern bis Ende {month_year}
    today is {date_full} | heute ist {date_full}
    Deadline: {date_numeric}. | Abgabetermin: {date_numeric}.
    Is {event} on {day_month}? | Ist {event} am {day_month}?
    {house} was founded in {year_written} | {house} wurde im Jahr {year_written} gegründet
    {house} burned down in the year {year_spoken} | {house} brannte im Jahr {year_spoken} ab
    {item} dates from the year {year_written} | {item} stammt aus dem Jahr {year_written}
    {name} moved to {city} in {year_written} | {name} zog im Jahr {year_written} nach {city}
    {group} grew fast in the {quarter} | {group} wuchs schnell im {quarter}
    {group} had no losses in the {quarter} | {group} hatte keine Verluste im {quarter}
"""

_DAYS_AND_TIMES = """
    {house} is closed on {weekdays} | {house} ist {weekdays} geschlossen
    {house} is open on {weekday_list} | {house} ist am {weekday_list} geöffnet
    {house} is open from {hours} | {house} ist von {hours} geöffnet
    {house} closes at {clock} | {house} schließt um {clock}
    {house} opens at {clock_spoken} | {house} öffnet um {clock_spoken}
    {name} works on {weekday_list} | {name} arbeitet am {weekday_list}
    {name} goes swimming on {weekdays} | {name} geht {weekdays} schwimmen
    {name} has no time on {weekday} | {name} hat am {weekday} keine Zeit
    {name} called at {clock} | {name} rief um {clock} an
    {name} gets up at {clock_spoken} | {name} steht um {clock_spoken} auf
    {name} left {ago} | {name} ist {ago} gegangen
    {event} begins at {clock} | {event} beginnt um {clock}
    {event} ends at {clock_spoken} | {event} endet um {clock_spoken}
    {event} starts {ahead} | {event} beginnt {ahead}
    {event} starts on {weekday} at {clock} | {event} beginnt am {weekday} um {clock}
    {vehicle} leaves at {clock} | {vehicle} fährt um {clock} ab
    {vehicle} arrives at {clock_spoken} | {vehicle} kommt um {clock_spoken} an
    {vehicle} to {city} leaves at {clock} | {vehicle} nach {city} fährt um {clock} ab
    {vehicle} is {short} late | {vehicle} hat {short} Verspätung
    Does {vehicle} leave at {clock}? | Fährt {vehicle} um {clock} ab?
    See you on {weekday} at {clock_spoken}. | Bis {weekday} um {clock_spoken}.
"""

_DURATIONS = """
    {event} lasts {short} | {event} dauert {short}
    {event} lasts exactly {short_spoken} | {event} dauert genau {short_spoken}
    {event} lasted {short_written} | {event} dauerte {short_written}
    {name} waited {short_spoken} | {name} wartete {short_spoken}
    {name} slept only {short_written} | {name} schlief nur {short_written}
    {name} stayed in {city} for {long} | {name} blieb {long} in {city}
    {name} lived in {country} for {long_written} | {name} lebte {long_written} in {country}
    the guarantee lasts {long_spoken} | die Garantie gilt {long_spoken}
    the journey to {city} takes {short} | die Fahrt nach {city} dauert {short}
    the war lasted {long_written} | der Krieg dauerte {long_written}
"""

_MEASURES = """
    {path} is {length} long | {path} ist {length} lang
    {path} is exactly {length_spoken} long | {path} ist genau {length_spoken} lang
    {path} is about {length_written} long | {path} ist etwa {length_written} lang
    {tower} is {height} high | {tower} ist {height} hoch
    {tower} is exactly {height_spoken} high | {tower} ist genau {height_spoken} hoch
    {tower} is almost {height_written} high | {tower} ist fast {height_written} hoch
    {city} is {distance} away | {city} ist {distance} entfernt
    {city} is about {distance_written} from {city2} | {city} ist etwa {distance_written} von {city2} entfernt
    {name} walked {distance_spoken} | {name} ging {distance_spoken} zu Fuß
    {load} weighs {weight} | {load} wiegt {weight}
    {load} weighs exactly {weight_spoken} | {load} wiegt genau {weight_spoken}
    {load} weighs at least {weight_written} | {load} wiegt mindestens {weight_written}
    {vessel} holds {volume} | {vessel} fasst {volume}
    {vessel} holds only {volume_spoken} | {vessel} fasst nur {volume_spoken}
    {vessel} holds more than {volume_written} | {vessel} fasst mehr als {volume_written}
    {land} covers {area} | {land} umfasst {area}
    {land} covers exactly {area_spoken} | {land} umfasst genau {area_spoken}
    {land} covers almost {area_written} | {land} umfasst fast {area_written}
    in {city} it was {temperature} yesterday | in {city} waren es gestern {temperature}
    in {city} it is {temperature_spoken} now | in {city} sind es jetzt {temperature_spoken}
    the water is {temperature_written} warm | das Wasser ist {temperature_written} warm
    {vehicle} was going {speed} | {vehicle} fuhr {speed}
    {vehicle} reaches {speed_written} | {vehicle} erreicht {speed_written}
    the wind reaches {speed_spoken} | der Wind erreicht {speed_spoken}
    the file is {storage} in size | die Datei ist {storage} groß
    the disk holds {storage_spoken} | die Festplatte fasst {storage_spoken}
    {house} used {energy} | {house} verbrauchte {energy}
    {group} saved {energy_written} | {group} sparte {energy_written}
    Does {load} really weigh {weight}? | Wiegt {load} wirklich {weight}?
"""

_NUMBERS = """
    {group} has {figures} {things} | {group} hat {figures} {things}
    {group} bought {spoken} {things} | {group} kaufte {spoken} {things}
    {group} sold {written} {things} | {group} verkaufte {written} {things}
    {name} counted {words} {things} | {name} zählte {words} {things}
    {house} had {figures} {people} | {house} hatte {figures} {people}
    {house} received {written} {people} | {house} empfing {written} {people}
    {country} has {millions} inhabitants | {country} hat {millions} Einwohner
{country} has debts of {billions} euros | {country} hat {billions} Euro Schulden
    the answer is {spoken} | die Antwort lautet {spoken}
    the number in the letter is {written} | die Zahl im Brief lautet {written}
    the result is {decimal} | das Ergebnis ist {decimal}
    the average is {decimal_spoken} | der Durchschnitt ist {decimal_spoken}
    {name} finished in {ordinal_written} place | {name} landete auf dem {ordinal_written} Platz
    {name} lives on the {ordinal_dative} floor | {name} wohnt im {ordinal_dative} Stock
    this is the {ordinal} edition | das ist die {ordinal} Auflage
    this was the {ordinal} attempt | das war der {ordinal} Versuch
    this is the {ordinal_written} letter | das ist der {ordinal_written} Brief
    {percent} of {people} agreed | {percent} der {people} stimmten zu
    the price rose by {percent} | der Preis stieg um {percent}
    the share fell by {percent_spoken} | der Anteil fiel um {percent_spoken}
"""

_PLACES_AND_LANGUAGES = """
    {name} speaks {languages} | {name} spricht {languages}
    {name} is learning {language} in {city} | {name} lernt {language} in {city}
    {name} answered in {language} | {name} antwortete auf {language}
    {name} has been to {countries} | {name} war schon in {countries}
    {name} comes from {country} and speaks {language} | {name} kommt aus {country} und spricht {language}
    {name} flew from {city} to {city2} | {name} flog von {city} nach {city2}
    {group} sells {things} to {country} | {group} verkauft {things} nach {country}
"""

TEMPLATES: tuple[Template, ...] = tuple(
    Template(*pair)
    for block in (_MONEY, _DATES, _DAYS_AND_TIMES, _DURATIONS, _MEASURES, _NUMBERS, _PLACES_AND_LANGUAGES)
    for pair in _pairs(block)
)
