"""Patterns that find the norm, the step, the loss and the learning rate in a line of a log."""

import re

NUMBER = (r"[-+]?(?:(?:\d\.#)?(?:nan|inf(?:inity)?|ind|qnan)(?:\(\w+\))?(?!\w)|"
          r"(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d*)?|\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)")
"""Also 1,234.5 and what C prints for what is not finite."""

SEPARATED = r"""["')\]]*\s*[:=]?\s*["'(\[$]*(?:(?:tensor|array|np\.\w+)\(\[?)?\s*"""
"""What stands between a name and its number: spaces, a colon, an equals sign, quotes, a tensor."""

VALUE = rf"{SEPARATED}(?P<value>{NUMBER})"
COUNT = rf"{SEPARATED}(?P<value>\d{{1,3}}(?:,\d{{3}})+|\d+)(?![\d.,]*(?:\.\d|e[-+]?\d|%))"
CLIP = r"(?:pre|before|raw|unclipped|total|global|overall|all)"

# A name begins with its first letter, and what may not stand before it comes after that letter: so a search skips from
# one such letter to the next, ten times as fast as if it looked back from every place.
GRADIENT = (r"g(?<![a-z0-9]g)(?<!max[_ -]g)(?<!clip[_ -]g)(?<!log[_ -]g)(?<!log10[_ -]g)(?<!log2[_ -]g)"
            rf"(?:rad(?:ient)?s?[_ -]?norm|[_-]?norm)"
            rf"(?:[_ -]{CLIP}(?:[_ -]clip\w*)?)?(?:\s*\((?:{CLIP}|l2)[^)]*\))?")
"""grad_norm, grad norm, gradient-norm, gnorm, total_grad_norm, grad norm (before clipping); not max_grad_norm and
log_grad_norm."""


def compiled(*patterns):
    return [re.compile(pattern) for pattern in patterns]


NORM = compiled(GRADIENT + VALUE, rf"(?<![\w-])(?:total|global)_norm{VALUE}",
                r"[|\u2016]{1,2}g(?:rad)?[|\u2016]{1,2}" + VALUE,
                rf"(?:^|[\d)%][ \t]+|[|,;:{{\[(]\s*)['\"]?norm{VALUE}")
"""The norm, the surest pattern first; lines are in small letters."""

WITHOUT = re.compile(GRADIENT + r"""["')\]]*\s*[:=](?!\s*(?:none|null|n/a|-(?:\s|$)))""")
"""A line that names the norm and gives no number."""

INSIDE = r"\]?:?\s*\[?\s*(?P<value>\d+)\s*/\s*(?P<of>\d+)"
ALONE = "(?<![\\w/-]{})"
"""Before a letter: no letter of the same word."""

STEP = compiled(
    rf"num_updates{COUNT}",                                                     # fairseq
    rf"(?:g{ALONE.format('g')}lobal|t{ALONE.format('t')}rain(?:er)?|o{ALONE.format('o')}ptim(?:izer)?)[_/ -]"
    rf"(?:global[_ ])?(?:step|iter(?:ation)?){COUNT}",
    rf"(?:s{ALONE.format('s')}tep|i{ALONE.format('i')}ter(?:ation)?|u{ALONE.format('u')}pdate)(?:\(train\))?{COUNT}",
    rf"(?:epoch|train)(?:\s*\(train\))?:?\s*\[?\s*(?P<epoch>\d+)(?:/\d+)?{INSIDE}",             # epoch 3: [120/500]
    rf"(?<![\w/-])(?:it|batch|i){COUNT}",
    r"(?<!\S)(?P<value>\d+)/\d+ \[",                                            # a bar of tqdm
    rf"e{ALONE.format('e')}poch{COUNT}")

LOSS = compiled(r"l(?:(?<![\w/.-]l)|(?<=train[_/ -]l)|(?<=training[_/ -]l)|(?<=lm[_ -]l)|(?<=total[_ -]l))"
                rf"(?<!val l)(?<!valid l)(?<!eval l)(?<!test l)oss{VALUE}")

LR = compiled(rf"l(?<![\w-]l)(?:r|earning[_ ]?rate)(?:_\d+)?{VALUE}")

SUMMING = ("epoch", "averaged stats")
SUMMARY = re.compile(r"epoch \d+ \||averaged stats|\"train_gnorm\"")
"""Lines that repeat what was said, as a mean over an epoch."""

COLOURS = re.compile(r"\x1b\[[0-9;]*m")

KEYS = re.compile(rf"([a-z_][\w./-]*(?: [a-z_(][\w./)-]*){{0,4}})[\"']?\s*[:=]\s*[\"']?(?:{NUMBER})", re.IGNORECASE)
"""What looks like the name of a number, for a message."""


def named(name):
    """Return the pattern for a name that the user gave."""
    return re.compile(rf"(?<![\w-]){re.escape(str(name).lower())}(?![\w]){VALUE}")
