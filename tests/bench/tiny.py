"""Data sets of a few lines, of our own words, shaped like the real ones and under other names."""

import gzip
import json
import lzma

SECRET = "xyzzy"
"""Stands in every field that no system may see: answers, summaries, ids that give the answer away."""


def locomo():
    """Two sessions; evidence malformed in the ways the real file has it."""

    def turn(place, speaker, text, **more):
        return {"speaker": speaker, "dia_id": f"D{place}", "text": text, **more}

    def asked(question, evidence, category):
        return {"question": question, "answer": SECRET, "evidence": evidence, "category": category}

    second = [turn(f"2:{n}", "Ida" if n % 2 else "Olaf", f"Line number {n} of the second talk.") for n in range(1, 27)]
    return [
        {
            "sample_id": "talk-1",
            "qa": [
                asked("What does Ida grow?", ["D1:1"], 4),
                asked("Where did Olaf sail?", ["D1:2; D2:3"], 1),
                asked("What was line 26?", ["D:2:26"], 2),
                asked("What was line 5?", ["D2:05", "D9:99"], 3),
                asked("Nobody knows?", ["D"], 5),
            ],
            "conversation": {
                "speaker_a": "Ida",
                "speaker_b": "Olaf",
                "session_1_date_time": "1:56 pm on 8 May, 2023",
                "session_1": [
                    turn("1:1", "Ida", "My tomatoes are ripe.", blip_caption="a bowl of tomatoes", img_url=[SECRET]),
                    turn("1:2", "Olaf", "I sailed to Bornholm last week.", query=SECRET),
                ],
                "session_2_date_time": "12:05 am on 1 June, 2023",
                "session_2": second,
                "session_10_date_time": "not a time",
            },
            "event_summary": {"session_1": SECRET},
            "observation": {"session_1": SECRET},
            "session_summary": {"session_1": SECRET},
        }
    ]


def beam(scale="100K"):
    """Two batches; evidence as a list and as a dict of lists."""

    def said(number, role, text, **more):
        return {"role": role, "id": number, "content": text, "question_type": SECRET, **more}

    return {
        "scale": scale,
        "id": "7",
        "topic": {"title": SECRET},
        "chat": [
            {
                "batch_number": 1,
                "time_anchor": None,
                "turns": [
                    [
                        said(10, "user", "Always answer in metric units.", time_anchor="March-15-2024"),
                        said(11, "assistant", "Noted."),
                    ],
                    [said(12, "user", "My boiler runs at 70 degrees.")],
                ],
            },
            {
                "batch_number": 2,
                "time_anchor": None,
                "turns": [[said(20, "user", "The boiler runs at 65 degrees now.", time_anchor="April-02-2024")]],
            },
        ],
        "probing_questions": {
            "abstention": [{"question": "What is the boiler's name?", "ideal_response": SECRET}],
            "knowledge_update": [
                {
                    "question": "How hot is the boiler?",
                    "answer": SECRET,
                    "source_chat_ids": {"original_info": [12], "updated_info": [[20]]},
                }
            ],
            "instruction_following": [
                {"question": "How far is it to the sea?", "rubric": [SECRET], "source_chat_ids": [10]}
            ],
        },
    }


def realmem():
    """Three sessions; a question in the third, one in the first that has nothing behind it."""

    def session(uuid, day, *turns):
        return {
            "session_identifier": SECRET,
            "session_uuid": uuid,
            "current_time": f"2025-12-{day} (Monday)",
            "dialogue_turns": list(turns),
            "extracted_memory": [{"content": SECRET}],
        }

    def said(speaker, text, **more):
        return {"speaker": speaker, "content": text, "is_query": False, **more}

    def query(number, text):
        return said("User", text) | {"is_query": True, "query_id": number, "category_name": "Dynamic", "topic": SECRET}

    return {
        "_metadata": {"person_name": "Nora"},
        "dialogues": [
            session(
                "aa-" + SECRET,
                "01",
                query("Q1", "What do you know?"),
                said("Assistant", "Nothing yet.", memory_session_uuids=["cc-" + SECRET]),
                said("User", "I am building a kite of bamboo."),
            ),
            session("bb-" + SECRET, "02", said("User", "My sailing licence came."), said("Assistant", "Well done.")),
            session(
                "cc-" + SECRET,
                "03",
                said("User", "Hello."),
                query("Q2", "What is my kite made of?"),
                said(
                    "Assistant",
                    "Bamboo.",
                    memory_session_uuids=["aa-" + SECRET, "cc-" + SECRET],
                    memory_used=[{"content": SECRET}],
                ),
            ),
        ],
    }


def knowme_stream():
    """Three records of one life."""
    empty = {"Environment": None, "dialogue": None, "Background": None, "Mind": None, "category": SECRET}
    return [
        {"id": 5, "timestamp": "1896-12-21 00:42:47", "location": "At home", "action": "I lit the lamp."} | empty,
        {"id": 6, "timestamp": "1896-12-21 00:42:52", "location": "Garden", "action": None}
        | empty
        | {"Mind": "I thought of the sea."},
        {"id": 9, "timestamp": "1897-01-02 09:00:00", "location": "Street", "action": "I met Luise."} | empty,
    ]


def knowme_questions():
    """One with evidence, one without."""
    return [
        {"task": "Information Extraction", "key": SECRET, "id": 1, "question": "Who was met?", "answer": SECRET}
        | {"evidence": [9]},
        {"task": "Logical Event Ordering", "key": SECRET, "id": 2, "question": "In what order?", "answer": SECRET},
    ]


def lifebench():
    """Records of several kinds; one question complete, one dangling."""
    return {
        "user": "mira",
        "persona": {"name": SECRET},
        "qa": [
            {
                "qid": "q0",
                "question": "When is the dentist?",
                "answer": SECRET,
                "question_type": "Information Extraction",
                "evidence": [{"type": "sms", "id": 3}, {"type": "calendar", "id": "0"}],
                "score_points": [{"description": SECRET}],
                "ask_time": "2025-12",
            },
            {
                "qid": "q1",
                "question": "Who called?",
                "answer": SECRET,
                "question_type": "Multi-hop reasoning",
                "evidence": [{"type": "call", "id": 44}, {"type": "sms"}],
            },
        ],
        "phone_data": {
            "sms": [
                {"type": "sms", "message_content": "Dentist moved to Friday.", "contactName": "Praxis", "phone_id": 3}
                | {"datetime": "2025-01-05 08:00:00", "event_id": SECRET}
            ],
            "calendar": [
                {"type": "calendar", "title": "Dentist", "description": "Bring the card", "phone_id": 0}
                | {"datetime": "2025-01-03 07:15:30", "event_id": SECRET}
            ],
            "agent_chat": [
                {
                    "type": "agent_chat",
                    "date": "2025-01-04",
                    "phone_id": 0,
                    "conversation": {"turn 1": {"user": {"action": SECRET, "content": "Remind me of the card."}}},
                }
            ],
            "contact": [{"name": SECRET, "phone_id": "1"}],
            "fitness_health": [{"summarized_info": SECRET, "phone_id": 1}],
        },
    }


def madial(zh=False):
    """(memories, dialogues), one object a line each."""
    if zh:
        memories = [{"4": {"time": "2023-05-01", "scene": "活动类", "emotion": "开心", "event": "他放了风筝。"}}]
        said = ["<BOD>\n", "<Bart>:“今天风很大！”\n", f"<Assistant>:“{SECRET}”\n", "<EOD>\n"]
    else:
        memories = [
            {"4": {"time": "2023-05-01", "scene": "Activity", "emotion": "Happy", "event": "Bart flew a kite."}},
            {"9": {"time": "2023-06-01", "scene": "School", "emotion": "Sad", "event": "Lisa lost a pencil."}},
        ]
        said = ["<BOD>\n", '<Bart>: "It is so windy today!"\n', f'<Assistant>: "{SECRET}"\n', "<EOD>\n"]
    return memories, [{"dialogue": said, "test-turn": [2], "relevant-id": [4, 77], "user-id": 1, "index": 0}]


def memdaily():
    """One trajectory."""
    told = [
        {"mid": 0, "message": "我下周去里斯本。", "time": "2024年04月01日 周一 08:30", "place": SECRET},
        {"mid": 1, "message": "我的猫叫小白。", "time": "2024年04月02日 周二 09:00", "place": SECRET},
    ]
    asked = {
        "qid": 0,
        "question": "我的猫叫什么？",
        "answer": SECRET,
        "target_step_id": [1],
        "choices": {"A": SECRET},
    } | {
        "ground_truth": "A",
        "time": "2024年04月04日 周四 07:42",
    }
    failed = asked | {"question": "[ERRORQ]", "choices": "[ERRORC]"}
    kept = {"file": "01_simple_roles", "key": "k", "tid": 0, "message_list": told, "question_list": [asked]}
    return [kept, kept | {"key": "l", "question_list": [failed]}]


def prefeval():
    """Two preferences."""

    def row(number, preference, question):
        return {
            "id": f"food#{number}",
            "topic": "food",
            "preference": preference,
            "question": question,
            "explanation": SECRET,
            "implicit_choice": {"options": [SECRET], "conversation": {"query": SECRET}},
        }

    return [
        row(0, "I never eat mushrooms.", "What should I order tonight?"),
        row(1, "I travel by train only.", "How do I get to Rome?"),
    ]


def hotpotqa():
    """Two questions that share a passage."""

    def row(number, titles, gold):
        chunks = [{"id": SECRET, "title": title, "chunk": f"{title}: {title} is a place."} for title in titles]
        facts = [{"title": title, "chunk": SECRET} for title in gold]
        return {"id": SECRET, "hop": 2, "type": SECRET, "question": f"Question {number}?", "answer": SECRET} | {
            "chunks": chunks,
            "supporting_facts": facts,
        }

    return [row(1, ["Aar", "Bonn", "Celle"], ["Aar", "Celle"]), row(2, ["Celle", "Dorf"], ["Dorf"])]


def twowiki():
    """The same with numbered sentences and evidence triples."""
    rows = hotpotqa()
    for row in rows:
        row["evidences"] = [{"subject": SECRET, "relation": SECRET, "object": SECRET}]
        for chunk in row["chunks"]:
            chunk["chunk"] = f"Title: {chunk['title']}\n0. It is a place.\n1. It is small."
    return rows


def musique():
    """One question; two paragraphs share a title."""

    def part(title, text, supports):
        return {"idx": 0, "title": title, "paragraph_text": text, "is_supporting": supports}

    parts = [part("Elbe", "A river.", True), part("Elbe", "A ship.", False), part("Fulda", "A town.", True)]
    asked = {"question": "Where?", "answer": SECRET, "question_decomposition": [{"question": "Which?"}]}
    return [{"id": SECRET, "paragraphs": parts, **asked}]


def longmemeval():
    """Four haystacks: sessions out of order with turn labels, no labels, an answer that is not there, a rubric."""

    def said(role, text, **more):
        return {"role": role, "content": text, **more}

    def row(name, kind, question, evidence, **more):
        return {"question_id": name, "question_type": kind, "question": question, "answer": SECRET} | {
            "question_date": "2023/05/30 (Tue) 23:40",
            "haystack_dates": ["2023/05/21 (Sun) 09:00", "2023/05/20 (Sat) 02:21", "2023/05/22 (Mon) 10:10"],
            "haystack_session_ids": [f"answer_{SECRET}_1", f"noise_{SECRET}", f"answer_{SECRET}_2"],
            "haystack_sessions": [
                [
                    said("user", "My degree is in botany.", has_answer=True),
                    said("assistant", "Plants!", has_answer=False),
                ],
                [said("user", "How do I boil an egg?"), said("assistant", " "), said("assistant", "In water.")],
                [said("user", "I finished in Uppsala.", has_answer=True)],
            ],
            "answer_session_ids": evidence,
            **more,
        }

    both = [f"answer_{SECRET}_1", f"answer_{SECRET}_2"]
    plain = row("b2", "knowledge-update", "Where did I finish?", both[1:])
    for turn in (turn for session in plain["haystack_sessions"] for turn in session):
        turn.pop("has_answer", None)
    return [
        row("a1", "multi-session", "What did I study, and where?", both),
        plain,
        row("c3_abs", "multi-session", "What did my sister study?", both),
        row("d4", "single-session-preference", "What should I read?", both[:1], answer="They would like " + SECRET),
    ]


def locomo_errors():
    """An audit that lists two of the questions of `locomo`, and one of a conversation that is not there."""

    def wrong(place, question, kind):
        return {"question_id": f"locomo_{place}", "question": question, "golden_answer": SECRET, "category": 4} | {
            "error_type": kind,
            "cited_evidence": ["D1:1"],
            "correct_evidence": ["D1:2"],
        }

    return [
        wrong("0_qa0", "What does Ida grow?", "HALLUCINATION"),
        wrong("0_qa2", "What was line 26?", "WRONG_CITATION"),
        wrong("5_qa1", "Who is not in this file?", "AMBIGUOUS"),
    ]


def nq_open():
    """Two questions on one passage, one on another; one more passage that is nobody's."""

    def row(number, question, title):
        passage = {"title": title, "text": f"{title} is far away.", "hasanswer": True, "isgold": True}
        gold = {"title": title, "long_answer": SECRET, "short_answers": [SECRET]}
        beside = {"title": "Ruhr", "text": "The Ruhr is a river.", "hasanswer": True, "isgold": False}
        found = {"ctxs": [passage, beside], "nq_annotated_gold": gold}
        return {"question": question, "answers": [SECRET], "index": number, **found}

    return [row(0, "where is elba", "Elba"), row(1, "how far is elba", "Elba"), row(2, "where is fyn", "Fyn")]


def locomo_plus():
    """Two cues and what makes sense with each."""

    def row(cue, trigger):
        return {"relation_type": "goal", "cue_dialogue": cue, "trigger_query": trigger, "time_gap": SECRET} | {
            "model_name": SECRET,
            "scores": {"bm25": 1.5},
        }

    return [row("A: I quit sugar.\nB: Good.", "A: I ate the cake."), row("A: I sold my car.\nB: Oh.", "A: I walked.")]


def letta_read():
    """Two questions on one group of facts."""

    def row(question):
        return {"group": "g7", "question": question, "answer": SECRET, "facts": LETTA_FACTS} | {
            "names": [SECRET],
            "question_index": 0,
        }

    return [row("Who sings?"), row("Who paints?")]


LETTA_FACTS = ["Ann sings.", "Bob is tall.", "Ann lives in Bath.", "Cid paints."]


def letta_updates():
    """The same questions after one more fact."""

    def row(question, new, old):
        return {"group": "g7", "question": question, "answer": SECRET, "facts": LETTA_FACTS} | {
            "contradicting_fact": new,
            "contradicting_answer": SECRET,
            "supporting_fact_indices": old,
        }

    return [row("Who sings?", "Bob sings.", [0, 2]), row("Who paints?", "Ann paints.", [3])]


def alfworld():
    """Four tasks of two kinds, sorted by kind; one goal stands twice."""

    def row(goal, kind):
        return {"goal": goal, "gamefile": f"data/{kind}-{SECRET}/game.tw-pddl", "task_type": kind}

    return [row(f"Your task is to: {goal}.", kind) for goal, kind in ALFWORLD_TASKS]


ALFWORLD_TASKS = [
    ("clean a pan", "clean"), ("clean a cup", "clean"), ("clean a cup", "clean"), ("heat an egg", "heat"),
    ("heat some soup", "heat"),
]  # fmt: skip


def sciworld():
    """Two tasks of one kind."""

    def row(goal):
        return {"task": "scienceworld", "id": 0, "goal": goal, "subgoals": [SECRET], "difficulty": "easy"} | {
            "additional_info": {"var": 5, "env_name": "boil"}
        }

    return [row("Boil lead."), row("Boil tin.")]


def arc_concepts():
    """Two puzzles that share a concept, which the first names without describing it."""

    def noted(text):
        return {"Kind": SECRET, "Description": text, "Implementation": [SECRET], "Cues": ["rings", "dots"]}

    def row(puzzle, **concepts):
        seen = {"one": {"description": f"{puzzle} seen by one"}, "two": {"description": f"{puzzle} seen by two"}}
        return {"puzzle": SECRET, "descriptions": seen, "concepts": concepts}

    return [row("Left", holes=None, lines=noted("N/A")), row("Right", holes=noted("empty spaces"))]


def kv_retrieval():
    """One dictionary of three pairs."""
    pairs = [["aa-1", "bb-1"], ["aa-2", "bb-2"], ["aa-3", "bb-3"]]
    return [{"ordered_kv_records": pairs, "key": "aa-2", "value": "bb-2"}]


def personamem():
    """(documents, queries) of one person."""
    talk = (
        f"[SYSTEM] Current user persona: {SECRET}\n\n[USER] User: I play the oboe.\n\n[ASSISTANT] Assistant: How nice."
    )
    asked = "User: Tim\n\nWhat shall I practise?"
    query = {
        "id": SECRET,
        "query": f"{asked}\n\n(a) The {SECRET}.\n(b) The oboe.\n(c) Law.\n(d) Golf.",
        "user_id": "p",
    } | {
        "gold_answers": ["(b) The oboe.", "b"],
        "gold_ids": ["p_0"],
        "meta": {"persona_id": "0", "question_type": "recall", "topic": SECRET, "retrieval_query": asked},
    }
    return [{"id": "p_0", "content": talk, "user_id": "p", "timestamp": None}], [query]


def memorybank():
    """(histories, questions) of one person, whose name has a blank too many."""
    told = {
        "2023-04-28": [{"query": "It rains.", "response": "Stay in."}],
        "2023-04-27": [{"query": "Hi.", "response": "Hi!"}],
    }
    person = {"name": "Mia", "summary": {"2023-04-27": SECRET}, "personality": {}, "overall_history": SECRET}
    return {"Mia": person | {"history": told}}, {" Mia ": ["How was the weather?"]}


def lines(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write_all(folder):
    """Every data set, under names that say nothing, in all the packings."""
    en, zh = madial(), madial(zh=True)
    talks, asked = personamem()
    histories, probes = memorybank()
    whole = {
        "a/one.json.xz": locomo(),
        "b/chat-small.json.xz": beam(),
        "b/chat-middle.json": beam("500K"),
        "b/chat-large.json.gz": beam("1M"),
        "c/life.json.gz": realmem(),
        "d/s.json": knowme_stream(),
        "e/phone.json": lifebench(),
        "l/haystacks.json": longmemeval(),
        "m/wrong.json": locomo_errors(),
        "r/talks.json.xz": talks,
        "r/asked.json.gz": asked,
        "s/past.json": histories,
        "s/asked.json": probes,
    }
    by_line = {
        "d/q.jsonl.gz": knowme_questions(),
        "f/m.jsonl": en[0],
        "f/d.jsonl": en[1],
        "g/m.jsonl.gz": zh[0],
        "g/d.jsonl.xz": zh[1],
        "h/x.jsonl": memdaily(),
        "i/x.jsonl.xz": prefeval(),
        "j/1.jsonl": hotpotqa(),
        "j/2.jsonl": twowiki(),
        "j/3.jsonl": musique(),
        "n/wiki.jsonl.xz": nq_open(),
        "o/pairs.jsonl.gz": locomo_plus(),
        "p/one.jsonl": letta_read(),
        "p/two.jsonl": letta_updates(),
        "q/house.jsonl": alfworld(),
        "q/lab.jsonl": sciworld(),
        "q/notes.jsonl": arc_concepts(),
        "t/pairs.jsonl": kv_retrieval(),
    }
    texts = {name: json.dumps(value, ensure_ascii=False) for name, value in whole.items()}
    texts |= {name: lines(rows) for name, rows in by_line.items()}
    for name, text in {**texts, "k/strange.json": '{"a": 1}', "k/broken.json.xz": "no xz"}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        opener = {".xz": lzma.open, ".gz": gzip.open}.get(path.suffix, open) if "broken" not in name else open
        with opener(path, "wt", encoding="utf-8") as file:
            file.write(text)
    return folder
