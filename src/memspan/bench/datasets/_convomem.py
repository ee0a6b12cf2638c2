"""The sentences of convomem-syn: how a person, an assistant and other people state the same sort of thing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of fact. {v}: its value;  {o}: another person;  {w}: the value of the first of two messages

    mine: messages that state it of the user, in order; the last holds. Of what changes, half is first said at length
    and then briefly, half the other way round, so that no length tells old from new
    other: the same of somebody else;  asked: the question;  reads: how a message states the value
    lead: what the user says before an assistant states it
    """

    name: str
    mine: tuple[str, ...]
    other: str
    asked: str
    reads: str
    values: tuple[str, ...]
    lead: str = ""
    first: tuple[str, ...] = ()


_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FOURS = ("1408", "2957", "3316", "4725", "5093", "6681", "7249", "8574", "9130", "6042")
_PETS = ("Biscuit", "Pepper", "Nutmeg", "Button", "Domino", "Pickle", "Sorrel", "Tuppence", "Gizmo", "Clementine")
_DOCTORS = ("Abel", "Bodin", "Cordes", "Dunker", "Eklund", "Farkas", "Gerber", "Hintz", "Ivers", "Jurado")
_PLOTS = ("12", "27", "31", "44", "58", "63", "76", "85", "90", "19")

FACTS = (
    Kind(
        "bicycle lock",
        ("The code of my bicycle lock is {v}.",),
        "The code of {o}'s bicycle lock is {v}.",
        "How do I open my bicycle lock?",
        r"bicycle lock is (\d+)",
        _FOURS,
    ),
    Kind(
        "tortoise",
        ("My tortoise is called {v}.",),
        "{o}'s tortoise is called {v}.",
        "What name did I give my tortoise?",
        r"tortoise is called (\w+)",
        _PETS,
    ),
    Kind(
        "dentist",
        ("My dentist is Doctor {v}.",),
        "{o}'s dentist is Doctor {v}.",
        "Who is it that treats my teeth, which dentist?",
        r"dentist is Doctor (\w+)",
        _DOCTORS,
    ),
    Kind(
        "garden plot",
        ("My plot in the allotment gardens is number {v}.",),
        "{o}'s plot in the allotment gardens is number {v}.",
        "Which of the plots in the gardens is mine?",
        r"allotment gardens is number (\d+)",
        _PLOTS,
    ),
)

CHANGING = (
    Kind(
        "spare key",
        (
            "I keep my spare key under the {v}.",
            "I moved my spare key, it lies under the {v} now.",
            "Somebody saw me, so my spare key is under the {v} from today.",
        ),
        "{o} keeps a spare key under the {v}.",
        "Where is my spare key?",
        r"under the (\w+)",
        ("doormat", "flowerpot", "bench", "birdbath", "woodpile", "drainpipe", "bucket", "statue", "ladder", "barrel"),
    ),
    Kind(
        "climbing day",
        (
            "Every week, unless I am ill or away from home, I go to the climbing hall on {v}.",
            "New plan, I go to the climbing hall on {v}.",
            "I go to the climbing hall on {v} now.",
        ),
        "{o} goes to the climbing hall on {v}.",
        "On which day do I go climbing?",
        r"climbing hall on (\w+)",
        _WEEKDAYS,
    ),
    Kind(
        "parcels",
        (
            "My parcels are left at the {v}.",
            "Please note that my parcels are left at the {v} from now on.",
            "The shop has closed, my parcels are left at the {v} instead.",
        ),
        "{o}'s parcels are left at the {v}.",
        "Where do I have to fetch a parcel of mine?",
        r"parcels are left at the (\w+)",
        ("bakery", "pharmacy", "kiosk", "florist", "laundry", "library", "butcher", "tailor", "garage", "cinema"),
    ),
    Kind(
        "extension",
        (
            "While I sit in the office on the third floor, my extension at work is {v}.",
            "They changed the telephones, my extension at work is {v} now.",
            "My extension at work is {v}.",
        ),
        "{o}'s extension at work is {v}.",
        "Under which extension am I reached at work?",
        r"extension at work is (\d+)",
        _FOURS,
    ),
)

PREFERENCES = (
    Kind(
        "taste",
        ("I cannot stand the taste of {v}.",),
        "{o} cannot stand the taste of {v}.",
        "What should a cook leave out of a dinner for me?",
        r"stand the taste of (\w+)",
        ("fennel", "liquorice", "celery", "coriander", "olives", "capers", "beetroot", "aniseed", "marzipan", "kale"),
    ),
    Kind(
        "place on a train",
        ("I am only happy on a train when I sit by the {v}.",),
        "{o} is only happy on a train when sitting by the {v}.",
        "You book a journey for me: which seat will please me?",
        r"(?:sit|sitting) by the (\w+)",
        ("window", "aisle", "door", "table", "engine", "luggage", "buffet", "stairs"),
    ),
    Kind(
        "tea",
        ("I like my tea with {v} in it.",),
        "{o} likes tea with {v} in it.",
        "How would you make me a hot drink that I enjoy?",
        r"tea with (\w+) in it",
        ("honey", "lemon", "milk", "ginger", "mint", "cardamom", "cream", "sugar", "rum", "cloves"),
    ),
    Kind(
        "music",
        ("I would rather hear {v} than anything else.",),
        "{o} would rather hear {v} than anything else.",
        "Which music should play when I arrive at the party?",
        r"rather hear (\w+) than",
        ("jazz", "fado", "polka", "opera", "bluegrass", "chorales", "tango", "madrigals", "marches", "waltzes"),
    ),
)

IMPLICIT = (
    Kind(
        "choir",
        ("I sing in the {w} choir.", "The {w} choir rehearses every {v}."),
        "The choir that {o} sings in rehearses every {v}.",
        "On which evening of the week am I never free?",
        r"rehearses every (\w+)",
        _WEEKDAYS,
        first=("Lindenhof", "Marigold", "Riverside", "Saint Bride", "Old Foundry"),
    ),
    Kind(
        "allergy",
        ("I am allergic to {w}.", "{v} bakes every cake with {w}."),
        "{v} bakes every cake with {o}'s recipe.",
        "Whose cakes must I not touch?",
        r"(\w+) bakes every cake",
        ("Adela", "Bertil", "Corinna", "Detlef", "Elvira", "Frido", "Gesine", "Hubert"),
        first=("hazelnuts", "almonds", "sesame", "peanuts", "pistachios"),
    ),
    Kind(
        "loan",
        ("I borrowed the tent of {w}.", "{w} comes back from abroad on {v}."),
        "{o} comes back from abroad on {v}.",
        "By which day must I have returned what is not mine?",
        r"back from abroad on (\w+)",
        _WEEKDAYS,
        first=("Adela", "Bertil", "Corinna", "Detlef", "Elvira"),
    ),
    Kind(
        "wedding",
        ("My cousin's wedding is held in {w}.", "The road to {w} stays closed until {v}."),
        "{o} says that the road over the moor stays closed until {v}.",
        "From which month on could I drive to my cousin's wedding?",
        r"stays closed until (\w+)",
        ("March", "April", "May", "June", "July", "August", "September"),
        first=("Hollerau", "Sankt Velten", "Brunnfeld", "Karlsmoor", "Ebenwald"),
    ),
)

ASSISTANT = (
    Kind(
        "flour",
        ("For that loaf you need {v} grams of rye flour.",),
        "For the loaf that {o} bakes it takes {v} grams of rye flour.",
        "How much rye flour did you tell me to use?",
        r"(\d+) grams of rye flour",
        ("310", "335", "360", "385", "410", "435", "460", "485"),
        "What goes into a loaf like that?",
    ),
    Kind(
        "file",
        ("That setting of yours belongs into the file {v}.",),
        "On the computer of {o} that setting belongs into the file {v}.",
        "Which file did you say my setting goes into?",
        r"into the file (\w+\.toml)",
        ("paths.toml", "limits.toml", "hosts.toml", "colours.toml", "users.toml", "ports.toml", "fonts.toml"),
        "Where would I change that setting?",
    ),
    Kind(
        "orchid",
        ("Water your orchid every {v} days, no more.",),
        "The orchid of {o} wants water every {v} days.",
        "How often did you advise me to water the orchid?",
        r"every (\d+) days",
        ("5", "6", "8", "9", "11", "12", "13"),
        "How do I keep the plant on my sill alive?",
    ),
    Kind(
        "novel",
        ("You might begin with the novel called {v}.",),
        "{o} might begin with the novel called {v}.",
        "Which novel did you recommend to me as a first one?",
        r"novel called (\w+)",
        ("Saltmarsh", "Ferrymen", "Nightjar", "Overwinter", "Glasshouse", "Undertow", "Hearthstone"),
        "I know none of her books, where does one start?",
    ),
)

CHAIN = (
    "My {kin} is called {name}.",
    "{name} works at the {firm}.",
    "The {firm} stands in {place}.",
    "Trains to {place} leave from platform {track}.",
)
CHAIN_ASKED = {
    2: ("Where does my {kin} work?", r"works at the ([\w ]+)\."),
    3: ("In which town does my {kin} work?", r"stands in ([\w' ]+)\."),
    4: ("From which platform do I start when I fetch my {kin} from work?", r"leave from platform (\d+)"),
}
KIN = ("neighbour", "boss", "flatmate", "tutor", "godchild", "landlord")
FIRMS = ("observatory", "shipyard", "paper mill", "sugar works", "tram depot", "print shop", "tannery", "brewery")

REPLIES = (
    "I will keep that in mind.",
    "Good to know.",
    "Thank you for telling me.",
    "All right, understood.",
    "I see.",
)
