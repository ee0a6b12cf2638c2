"""Directives that hold from now on, in any shape: "could you keep your answers short when we talk about work?".

A sentence is one where it is addressed to whoever answers (an imperative, a request, "you should") and where its words
say that it is meant for more than once: a word of time ("from today", "any more", "whenever"), a case ("when I ask for
a recipe", "each summary"), a form of answering ("bullet points", "in French", "shorter"), a ban ("no more", "stop").
Neither half alone is enough: "give me a recipe" is said once, "the shop opens at nine from now on" to nobody.

Source: own rules, made on one half of `standing-syn` and on LoCoMo's small talk, judged on the other half and on BEAM.
English only; another language finds nothing. A sentence is read up to 250 characters, in linear time.
"""

import re
from functools import lru_cache

from memspan.text.patterns import later

MAX_SENTENCE_CHARS = 250
ENOUGH = 2

_FLAGS = re.IGNORECASE | re.ASCII
_SENTENCE = later(r"[.!?;:]\s+|\n| [-–—]+ ")
_SAID = later(r"\b(?:say|says|said): ")
_CLAUSE = later(
    r",? (?:so|but)(?: please)?,? (?=please|leave|keep|use|don|do not|never|no |skip|avoid"
    r"|describe|adapt|flag|bear|mind|make|write|give|answer)",
    _FLAGS,
)
_LEAD = later(
    r"[\W_]{0,8}(?:(?:please|also|and|so|ok|okay|just|hey|oh|kindly|but|by the way|btw|one (?:more )?thing"
    r"|for the record"
    r"|if (?:possible|you can)|then|plus|do me a favou?r and|be so (?:kind|good) (?:and|as to)|(?:from|since|because"
    r"|as|now that"
    r"|in|going|starting|for|unless|until|on|with) [^,.!?]{2,80}, )\b[\s,.!:-]{0,4}"
    r"|from (?:now|here|today|then|this \w{1,12})(?: on(?:wards?)?)?\b[\s,]{1,3}){0,4}",
    _FLAGS,
)
_CASE = later(
    r"(?:when|whenever|whatever|wherever|if|any ?time|every time|each time|(?:the )?next time|unless|as soon as|before"
    r"|while)\b[^.!?,]{3,80}, *(?:then |please |just ){0,2}",
    _FLAGS,
)
_VERB = (
    r"(?:use|write|answer|reply|respond|speak|talk|address|call|refer|treat|explain|format|start|begin|end|finish|sign"
    r"|cite|quote|convert|round|spell|skip|drop|keep|stick|limit|leave|say|give|put|assume|add|include|ask|show|tell"
    r"|make|describe|double-check|flag|mark|mention|name|offer|prefer|propose|recommend|suggest|warn|remind|greet"
    r"|translate|summari[sz]e|state|list|link|highlight|prioriti[sz]e|provide|stay|be|strip|let me know the|express"
    r"|refrain|adapt|adjust|consider|mind|remember|bear|reserve|sort|note|point|try|pretend|sound|act|imagine"
    r"|challenge|correct|justify|back|measure|avoid|switch)"
)
_BAN = (
    r"(?:(?:do not|don['’]?t|never|stop|quit|avoid|skip|drop|no more|no|nothing|none of|hold|lose|omit|cut|ditch"
    r"|spare me"
    r"|leave (?:out|\w{1,12} out)|try not to|refrain from|enough)\b)"
)
_TO_YOU = later(
    rf"(?:{_VERB}\b|{_BAN}|(?:always|never) {_VERB}\b|let['’]?s agree\b|just the\b"
    r"|(?:could|can|would|will|might) (?:you|we)\b|would you mind\b|you (?:should|must|(?:can|may|could) (?:drop|skip"
    r"|stop|leave|keep|call|use|be|spare|always)|need|needn['’]?t"
    r"|don['’]?t (?:have|need)|do not (?:have|need)|are (?:free|welcome|not) to)\b"
    r"|(?:every|each|all) (?:\w{1,20} ){1,6}(?:should|must|needs? to|has to|have to|goes? )\b"
    r"|i(?:['’]d| would|['’]ll)? (?:really |much |also |rather |strongly |always )?(?:appreciate|like|love|prefer"
    r"|insist"
    r"|rather|wish|hate|be (?:happier|happy|glad|grateful|pleased|thankful))\b.{0,40}"
    r"\b(?:you|your|if|that|it)\b|i(?:['’]m| am) done with\b|i (?:don['’]?t|do not|never) (?:want|need|like|wish)\b"
    r"|i only (?:want|need|take|accept)\b|i (?:want|need|expect) (?:you|your|all|every)\b"
    r"|it(?:['’]s| is|['’]d be| would be) (?:\w{1,12} )?(?:great|nice|good|helpful|important|better|best|lovely|kind"
    r"|useful|easier|essential|crucial)\b.{0,30}(?:\b(?:if|when) (?:you|your)\b|to me\b)|what (?:helps"
    r"|works(?: best)? for|suits) me\b"
    r"|(?:my|our|a|new|the|one) (?:\w{1,12} ){0,2}rule\b"
    r"|we agreed (?:that you|on)\b|my pronouns are\b|my name is (?:spelled|spelt|pronounced|written)\b)",
    _FLAGS,
)
_ONWARD = later(
    r"\bfrom (?:now|here|today|this (?:point|day|week|month|moment)|then)\b|\bgoing forward\b|\bin (?:the )?future\b"
    r"|\balways\b|\bnever\b|\bwhenever\b|\bwhatever (?:i|you)\b|\b(?:any ?time|every time|each time)\b|\bas a rule\b"
    r"|\bby default\b|\bunless (?:i|we|told)\b|\buntil (?:further|i|we|told)\b|\b(?:ever|any ?more|again)(?=\W*$"
    r"|,? please)"
    r"|\b(?:all the|at all) times?\b|\bnext time (?:you|i)\b|\b(?:rule|habit|principle)\b|\bno more\b"
    r"|\bi only (?:want|need)"
    r"|\b(?:once a|every|each) (?:day|week|month|morning|evening)\b|\bfor the rest of (?:this|our|the) (?:chat|conv"
    r"|talk)"
    r"|\bat a time\b|\b(?:quit|stop) \w{2,20}ing\b|\bi(?:['’]m| am) done with\b|\bhow i (?:like|want|prefer)\b"
    r"|\boff(?:[- ]limits| the table)\b",
    _FLAGS,
)
_CASES = later(
    r"\b(?:when|if|before|while|where) (?:i|we|you)(?:['’]m|['’]re| are| am| have to| need to| want to)? (?:\w{1,12} )?"
    r"(?:ask|talk|speak|give|send|write|plan|quot|cit|show|shar|mention|suggest|recommend|propos|answer|repl|respond"
    r"|explain|cod|draft|design|make|list|summari|discuss|assume|review|pick|choos|cook|need|want|us|refer|present|pull"
    r"|look|book|order|compare|count|tell|report|translat|address)\w{0,4}\b"
    r"|\bcomes? up\b|\b(?:when|if|once) (?:\w{1,20} ){1,4}(?:has to|have to|gets?|get|is|are|begin|come|start|end)s?\b"
    r"|\b(?:every|each|any|all) (?:of )?(?:your |the |my )?(?:answers?|repl(?:y|ies)|responses?|summar(?:y|ies)"
    r"|messages?"
    r"|e?mails?|lists?|letters?|suggestions?|recommendations?|texts?|figures?|sums?|plans?|numbers?|prices?|reports?"
    r"|drafts?)\b"
    r"|\bper (?:answer|reply|response|message)\b|\b(?:in|to|about|with) (?:anything|everything|whatever)\b"
    r"|\b(?:any|every)thing (?:about|with|that|before|after|from)\b|\b(?:before|after) (?:noon|ten|nine|eight"
    r"|\d{1,2})\b"
    r"|\b(?:with|for) me\b(?=\W*$)|\bdon['’]?t want (?:to see )?any\b|\bit when\b"
    r"|\bwhat(?:ever)? (?:i|you) \w{2,20}\b|\b(?:when|if) (?:you|something|anything|it|there)(?:['’]re|['’]s| is"
    r"| are)\b"
    r"|\bin my \w{2,20}s\b",
    _FLAGS,
)
_FORM = later(
    r"\b(?:answer(?:s|ing)?|repl(?:y|ies)|respon(?:ses?|ding)|explanations?|summar(?:y|ies)|conclusions?"
    r"|bullet(?: points?|s)?"
    r"|emojis?|tables?|charts?|paragraphs?|sentences?|wording|words|exclamation marks?|headings?|small talk|jokes?"
    r"|spoilers?"
    r"|ads|links?|sources?|citations?|quotations?|quotes?|references?|footnotes?|abbreviations?|acronyms?|jargon"
    r"|slang|units?"
    r"|metric|imperial|celsius|fahrenheit|kilomet\w{2,4}|miles|decimals?|(?:24|12)[- ]hour|time zones?|currency|francs"
    r"|euros|dollars|pounds|format|tone|voice|style|formal(?:ly)?|informal(?:ly)?|polite\w{0,2}|short(?:er)?"
    r"|brief(?:ly)?"
    r"|concise(?:ly)?|detailed?|simpl[ey]r?|plain|first names?|full name|pronouns?|nickname|spelling|commas?"
    r"|punctuation"
    r"|capitals?|second person|third person|first person|calories|examples?|step by step|opinions?|facts"
    r"|apologi[sz]\w{1,4}"
    r"|apology|greetings?|compliments?|flattery|confidential|private|politics|english|german|french|spanish|italian"
    r"|portuguese|dutch|chinese|japanese|risk note|disclaimers?|warnings?|page numbers?|dates?|type hints|comments|code"
    r"|suggestions?|recommendations?|recipes?|prices?|menus?|meals?|blunt|honest|direct|literal\w{0,2}|top|bottom"
    r"|beginning"
    r"|figures|numbers|sums|letters?|e?mails|texts?|questions?|vegetarian|vegan|halal|kosher|gluten|nuts|pictures"
    r"|images)\b",
    _FLAGS,
)
_BANNED = later(r".{0,80}\b(?:without|leave out|no|not|nothing|instead of|anything)\b", _FLAGS)
_ANSWERING = (
    r"(?:us(?:e|ing)|say|writ|suggest|recommend|propos|mention|bring|refer|call|begin|start|end|giv|tell|ask|includ"
    r"|add|send"
    r"|show|plan|assum|guess|apologi|repeat|quot|swear|swap|talk|explain|answer|repl|respond|translat|reveal|shar"
    r"|chang|book"
    r"|schedul|comment|judg|lectur|summari|invent|make up|interrupt|flatter|praise|correct|remind|mix|round|abbreviat"
    r"|hedg"
    r"|sugar|link|sign|address|treat|joke|advis|offer|promot|advertis|nag|name|list)\w{0,4}\b"
)
_FORBIDS = later(
    rf"(?:do not|don['’]?t|stop|quit|avoid|try not to|refrain from) (?:ever |please |you )?{_ANSWERING}"
    r"|(?:skip|drop|leave out|spare me|no more|nothing with|avoid (?:words|phrases|terms))\b"
    r"|(?:no|hold the) (?:\w{2,20} ){0,3}\w{2,20}(?:,? (?:please|ever|with|when|before|after|in|on|at)\b|\W*$)",
    _FLAGS,
)
_WATCHING = later(
    r"\b(?:flag|double-check|spell(?:ing)? out|warn me|alert me|remind me (?:if|when)|be \w{3,12} with me|between us"
    r"|my pronouns are"
    r"|(?:be|sound|stay) (?:more |less |a bit |very |completely |brutally |so )?(?:blunt|honest|direct|brief|concise"
    r"|formal"
    r"|informal|casual|polite|critical|strict|patient|specific|precise|neutral|literal)"
    r"|(?:ask|check with|consult) me (?:first|before)|my name is (?:spelled|spelt|pronounced|written))\b",
    _FLAGS,
)
_NAMING = later(
    r"\bcall(?:ing)? (?:me|us|my \w{1,20}|him|her|them)\s+(?!back\b|when\b|later\b|if\b|at\b|on\b|in\b|tomorrow\b"
    r"|tonight\b|any\b|every|crazy\b|old\b|a\b|an\b|the\b|before\b|after\b|up\b|out\b|for\b|to\b|and\b|asap\b"
    r"|please\b)[\w\"'“‘]"
    r"|\b(?:refer|referring) to (?:me|us|my \w{1,20}|him|her|them) as\b|\baddress(?:ing)? (?:me|us)\b"
    r"|\b(?:talk|speak|write|reply|respond|answer|explain \w{1,20})(?: to me| me)? (?:in(?! the\b| my\b| a\b| an\b)"
    r"|with (?:only|just|one)|like|as if|formally|informally"
    r"|more|less)\b|\b(?:keep|bear) in mind (?:that )?(?:i|we|my)\b|\bmind that\b|\bremember that (?:i|we|my)\b"
    r"|\b(?:stick|restrict yourself) to\b|\blimit yourself\b|\btreat (?:me|us|everything|anything)\b"
    r"|\bkeep (?:your|the|all|any|my|it|things|this) (?:\w{1,20} ){0,3}(?:short|brief|clean|simple|formal|light|secret"
    r"|private|confidential|concise|plain|polite)\w{0,3}\b(?<!it simple)(?<!things simple)(?<!it light)",
    _FLAGS,
)
_IDLE = later(
    r"(?:keep (?:up|it up|on|at it|me|us|in touch|\w{2,20}ing|your (?:head|chin|eyes)|that|an eye)\b|remember, "
    r"|let me (?:know(?! the\b)|tell|see|think|show|ask)\b|(?:let['’]?s )?never (?:mind|heard|been|seen|tried|knew"
    r"|thought"
    r"|give up|stop|say never|too|had|a)\b|(?:don['’]?t|do not) (?:worry|give up|hesitate|know|think|you|get|let|miss"
    r"|be"
    r"|have|want to|mind|really|remember|understand|see|even|like|need|feel|forget(?! that)|stop|quit|lose|doubt"
    r"|wait)\b"
    r"|no(?:,| (?:prob|problem|worries|doubt|way|one|idea|matter|wonder|need|thanks?|rush|pressure|kidding|longer"
    r"|regrets?|time|i|other|specific|it|not|that|we|stories|long)\b)"
    r"|no (?:more |other |further )?(?:questions?|concerns?|adjustments?|updates?|changes|plans)\b|nothing (?:beats"
    r"|happened|like|better|much|can|is|was|has|had|will|makes?|ever)\b|no more (?:snow|rain|excuses)\b"
    r"|take (?:care|your time|it easy)\b|be (?:careful|safe|well|sure|strong|proud)\b|have (?:a|you|fun|an)\b|go for it"
    r"|good\b|try it\b|stay (?:safe|strong|tuned|positive|in touch|true)\b|say (?:hi|hello)\b|would you (?:look|believe"
    r"|like|say|ever|rather)\b|can you (?:believe|imagine)\b|could you believe\b|you (?:should|must) (?:have|be|see"
    r"|try|feel)\b"
    r"|you can (?:do|always|never|count)\b|you (?:do not|don['’]?t) have to (?:win|be|worry)\b|if (?:you|sf|things)\b"
    r"|any ?time you need|just the two\b|keep in mind that was\b|stop talking\b|whenever (?:i|did|do|does|we) (?!ask"
    r"|mention|talk|write|send|say|give|tell|need|want|request)\b|when things\b"
    r"|remember that (?:time|day|storm|one|trip|night|week)|i (?:want|need|would like|['’]d like|would love"
    r"|['’]d love) to\b"
    r"|i(?:['’]m| am) done with (?:my|the|all|this|that|it|school|work)\b"
    r"|i(?:['’]d| would)? (?:really )?(?:appreciate|love|like|need|want) (?:it|that|your|a|an|the|some|him|her|them"
    r"|this)\b"
    r"(?! (?:if|when) you))",
    _FLAGS,
)
_TASK = later(
    r"(?:(?:can|could|will|would) (?:you|we) (?:please |also |maybe |just )?(?:help|explain|provide|recommend|suggest"
    r"|give"
    r"|show|share|tell|walk|send|review|check|confirm|talk|describe|list|create|come|let|solve|remind|make|write|do)"
    r"|(?:write|give|show|tell|explain|list|make|describe|provide|summari[sz]e|translate|propose|suggest|recommend"
    r"|add|put"
    r"|break|note)(?: me| us)? (?:an?|the|some|this|these|those|it|my|how|what|why|about|that|short|\d{1,4}))\b",
    _FLAGS,
)
_QUOTED = later(r"[\"“][^\"“”]{16,}(?:[\"”]|$)")
_OFF = later(r"(?:\w{1,20} ){1,4}(?:is|are) off(?:[- ]limits| the table)\b", _FLAGS)
_NAMED = later(
    r"(?:(?:hey|hi|hello|dear|sure|ok|okay|no worries|thanks|yeah)[ ,]{1,2})?(?!(?:Please|Also|And|So|Ok|Okay|Just"
    r"|Hey|Oh|Kindly"
    r"|But|Then|Plus|Well|Actually|Remember|Always|Never|Finally|First|Again|Whenever|From|Going|Today|Sure|Yes|No"
    r"|Thanks|If"
    r"|When|By|One|For|Since|Because|Note|Hi|Hello|Right|Great|Alright|Unless|Flights?|Until|Next|In|On|Every)\b)"
    r"(?:(?:[Dd]ear |[Mm]y |[Gg]ood (?:morning|evening|afternoon),? )?(?:(?:Mr|Mrs|Ms|Dr)\. )?[A-Z][a-z]{1,20}"
    r"(?: [A-Z][a-z]{1,20}){0,2}(?:['’]s [A-Z][a-z]{2,20})?[,:!.] |.{0,40}\b[Dd]ear (?:customer|user|member|guest|sir"
    r"|all)\b)"
)
_RATHER = later(rf"{_VERB}\b.{{1,80}}(?:, not|\binstead of|\brather than)\b", _FLAGS)
_KIND = later(r"(?:for|in|with|on) (?:\w{1,20} ){0,2}\w{2,20}s, ", _FLAGS)
_PLEASE = later(
    r"\bplease (?!kindly|reply|remind|reserve|bring|check|send|let|come|go|have|take|wait|rest|feel|do|see|note"
    r"|contact|call)",
    _FLAGS,
)
_ONCE = later(
    r"\b(?:this|these|those) (?!chat|conversation|point|week|day|month|moment)|\b(?:the following|above|below|tomorrow"
    r"|tonight|yesterday|right now|immediately|right away|for now|just show|another|one more)\b|\bhelp (?:me|us)\b"
    r"|(?<!from )\btoday\b|(?<!that['’]s )"
    r"\b(?:how|what|which|who|where|why) (?:do|does|did|is|are|was|should|can|could|would|to|many|much)\b",
    _FLAGS,
)


@lru_cache(maxsize=16)  # a turn is asked about twice in a row: is it an instruction, is it a preference
def holds_on(text: str) -> bool:
    """Whether a sentence of the text tells whoever answers how to do so from now on.

    >>> holds_on("We are back. Could you stop using emojis, please?"), holds_on("Could you call the plumber?")
    (True, False)
    """
    if _NAMED.match(text):
        return False
    own = _SAID.sub("says ", _QUOTED.sub(" ", text))
    if " so" in own or " but" in own:
        own = _CLAUSE.sub("\n", own)
    return any(_points(sentence) >= ENOUGH for sentence in _SENTENCE.split(own) if sentence)


def _points(sentence: str) -> int:
    """How much says that a directive is meant for more than once; 0 where it is no directive."""
    sentence = sentence[:MAX_SENTENCE_CHARS]
    lead = _LEAD.match(sentence)
    start = lead.end() if lead else 0
    if _IDLE.match(sentence, start):
        return 0
    ahead = _CASE.match(sentence, start)
    addressed = _TO_YOU.match(sentence, start) or (" off" in sentence and _OFF.match(sentence, start))
    if not (addressed or (ahead and _TO_YOU.match(sentence, ahead.end()))):
        return 0
    points = 2 * sum(bool(cue.search(sentence)) for cue in (_ONWARD, _NAMING, _WATCHING)) + bool(ahead)
    points += 2 * bool(_FORBIDS.match(sentence, ahead.end() if ahead else start))
    points += 2 * bool(_RATHER.match(sentence, start)) + bool(_KIND.match(sentence))
    if not _TASK.match(sentence, start):
        points += min(2, len(_FORM.findall(sentence))) + bool(_PLEASE.search(sentence))
    points += min(2, len(_CASES.findall(sentence)))
    return points + bool(_BANNED.match(sentence, start)) - 2 * bool(_ONCE.search(sentence))
