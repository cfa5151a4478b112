"""Files of accounts, and what awspool.check_csv has to say about each.

    differential.py pool                SQL that fills the pool they are for
    differential.py SEED FIRST LAST     these cases, as COPY reads them: number,
                                        file, report

test/t/differential.pl runs this.  A report is the rows of check_csv as JSON, or
the code of the error that refuses the file.  A case is made from the seed and
its number alone, so one that went wrong can be had again by itself.

The reports follow doc/awspool.md ("The file").  It is Python's csv module that
finds records, fields and what quotes stand for.  It knows one separator, cannot
tell an empty field from "", and takes quotes in the middle of a field for
letters, so the text is brought into a form without these first.

NUL bytes and invalid encoding are left out: the server refuses them before
awspool sees them.
"""

import csv
import itertools
import json
import random
import re
import sys

HEADER = ['account_id', 'marketplace_id', 'account_model']
MARKETPLACES = ['MP-0000', 'MP-0001']
MODELS = ['SPAM', 'ECAM']
BOM = '\ufeff'
MARKS = (BOM, '\u00ef\u00bb\u00bf')     # the second was read as LATIN1

#
# The pool.  The files are for provider acme.
#

# What is done to an account after it was added, and what it is then.  A claim
# takes the oldest, so those that stay ready come last.
FATES = [
    ('claim fail delete', 'used'),
    ('invalidate delete', 'used'),
    ('delete', None),
    ('claim', 'provisioning_in_progress'),
    ('claim allocate', 'allocated'),
    ('claim fail', 'provisioning_failed'),
    ('invalidate', 'invalid'),
    ('', 'ready'),
]

# By id; the ids of new accounts are lower.
POOL = {
    str(900_000_000_000 + n): account for n, account in enumerate(
        itertools.product(FATES, ['acme', 'other'], MARKETPLACES, MODELS))
}


def pool_sql():
    for account_id, (fate, provider, marketplace, model) in POOL.items():
        yield (f"SELECT FROM awspool.add_account('{provider}', '{account_id}', "
               f"'{marketplace}', '{model}');")
        for step in fate[0].split():
            what = marketplace if step == 'claim' else account_id
            yield f"SELECT FROM awspool.{step}_account('{provider}', '{what}');"


#
# What is to be expected of a file.
#

# Outside quotes is where an even number of quotes came before.
QUOTED = '"[^"]*"'
END_MARK = re.compile(QUOTED + r'|(?<![^\r\n])(\\\.)(?![^\r\n])')
SEPARATOR_LINE = re.compile(r'\A("?)sep=[;,]\1(?=[\r\n]|\Z)', re.I | re.A)
LINE_END = re.compile(r'\r\n|\r|\n')
FIELD = re.compile(r'(?:[^";,\r\n]+|%s)+|,' % QUOTED)
QUOTED_PART = re.compile(r'"((?:[^"]|"")*)"')
WAS_QUOTED = '\ue000'


class Broken(Exception):
    """The file cannot be read."""


def report(text):
    rows = []
    columns = None
    lines = {}      # where the id of a well-formed row came first
    try:
        for line, fields in records(text):
            if columns is None:
                columns = columns_of_header(fields)
                if columns:
                    continue
                columns = range(len(HEADER))
            values = [value_of(fields[place]) if place < len(fields) else None
                      for place in columns]
            rows.append([line, *values, *judge(line, len(fields), values, lines)])
    except Broken:
        return '22P04'
    return rows


def records(text):
    """The line and the fields of each record that is not blank."""
    for mark in MARKS:
        if text.startswith(mark):
            text = text.removeprefix(mark)
            break
    text = SEPARATOR_LINE.sub('', text)
    if text.count('"') % 2:
        raise Broken
    if '\r\n' in line_ends(text):
        text = text.removesuffix('\r')     # a shell has taken the last LF off
    for match in END_MARK.finditer(text):
        if match[1]:
            if text[match.end():].strip('\r\n'):
                raise Broken
            text = text[:match.start()]
            break
    ends = line_ends(text)
    if '\r' in ends and len(ends) > 1:
        raise Broken

    # Lines are counted by what ends them in this file, also within quotes.
    end = '\r' if '\r' in ends else '\n'
    reader = csv.reader(re.split(f'(?<={end})', FIELD.sub(simplify, text)),
                        delimiter=';', strict=True)
    next_line = 1
    for fields in reader:
        line, next_line = next_line, reader.line_num + 1
        while len(fields) > len(HEADER) and fields[-1] == '':
            fields.pop()
        if any(field == WAS_QUOTED or field.strip(' \t' + WAS_QUOTED)
               for field in fields):
            yield line, fields


def line_ends(text):
    return set(LINE_END.findall(re.sub(QUOTED, 'x', text)))


def simplify(match):
    """A separator, or a field with quotes around all of it or none."""
    field = match[0]
    if '"' in field:
        return '"' + WAS_QUOTED + QUOTED_PART.sub(r'\1', field) + '"'
    return ';' if field == ',' else field


def value_of(field):
    return field[1:] if field.startswith(WAS_QUOTED) else field or None


def columns_of_header(fields):
    """The place of each column; None if this is not a header."""
    names = [(value_of(field) or '').encode().lower() for field in fields]
    header = [name.encode() for name in HEADER]
    if sorted(names) != sorted(header):
        return None
    return [names.index(name) for name in header]


def judge(line, nfields, values, lines):
    """The outcome of a row, and the detail."""
    if nfields != len(HEADER):
        return 'rejected', f'wrong number of fields: {nfields} instead of 3'
    problems = '; '.join(filter(None, map(problem, FORMS, values)))
    if problems:
        return 'rejected', problems

    account_id, *wanted = values
    if lines.setdefault(account_id, line) != line:
        return 'rejected', (f'account id "{account_id}" is on line '
                            f'{lines[account_id]} already')
    (_, status), provider, *there = POOL.get(account_id, (('', None), None))
    if status is None:
        return 'added', None
    if provider != 'acme':
        return 'rejected', f'account id "{account_id}" is taken'
    if status == 'used':
        return 'rejected', (f'account "{account_id}" was used before and cannot '
                            'be added again')
    if there != wanted:
        return 'rejected', (f'account "{account_id}" is in the pool already, as '
                            + ', '.join(there))
    return 'present', None if status == 'ready' else f'it is {status}'


FORMS = [
    ('account id', re.compile('[0-9]{12}'), 'exactly 12 digits'),
    ('marketplace', re.compile('MP-[0-9]{4,61}'), '"MP-" and 4 to 61 digits'),
    ('model', re.compile('SPAM|ECAM'), '"SPAM" or "ECAM"'),
]


def problem(form, value):
    label, pattern, rule = form
    if value is None:
        return f'{label} is missing'
    if pattern.fullmatch(value):
        return None
    hint = ''
    if value.startswith(MARKS):
        hint = ' (it begins with a byte order mark)'
    elif label == 'account id' and value[:4].lower() == 'sep=':
        hint = ' (it tells a spreadsheet what separates the fields)'
    elif label == 'account id' and re.fullmatch('[0-9]{11}', value):
        hint = ' (a spreadsheet may have dropped a leading zero)'
    return f'{label} "{printable(value)}" must be {rule}{hint}'


def printable(value):
    """At most 64 bytes, no control characters, and no space that hides."""
    shown = value.encode()[:64].decode(errors='ignore')
    return re.sub(
        '[\0-\x1f\x7f-\xa0\u1680\u180e\u2000-\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]',
        lambda m: ''.join(f'\\x{byte:02x}' for byte in m[0].encode()),
        shown) + ('...' if shown != value else '')


#
# Files, as people, spreadsheets and accidents make them.
#

NEAR_MISSES = [
    ['', '12345678901', '1234567890123', '12345678901x', ' 123456789012',
     '123456789012 ', '1.23457E+11', '+12345678901', "'123456789012",
     '1234-5678-9012', '12345678901\u0662', '\u0661' * 12, '\uff11' * 12,
     '\u200b123456789012', BOM + '123456789012', '123456789012\x1b[2J',
     '\x8512345678901', '1' * 63 + '\u00fc', '1' * 64 + '\u00fc', '\u20ac' * 30,
     '123456\n789012', '\r\n123456789012', '1234567\r89012', '\n\n\n', '\\.',
     '=123456789012', 'sep=;', 'Sep=|', MARKS[1] + '123456789012', '"', '""',
     ';', ',,', '\t', 'account_id'],
    ['', 'MP-000', 'mp-0000', 'MP0000', 'MP-', 'MP-00O0', ' MP-0000',
     'MP-0000 ', 'MP-' + '0' * 61, 'MP-' + '0' * 62, 'MP-\u0660\u0660\u0660\u0660',
     'MP-0000;SPAM', 'MP-0000,MP-0001', 'MP-\n\\.\n0000', 'MP-"0000"', '\r\n'],
    ['', 'spam', 'Ecam', 'SPAM ', ' ECAM', 'SPIM', 'SPA', 'SPAMM', 'SP AM',
     'SPAM\n', '\rSPAM', 'SPAM;', '"SPAM"', '\u0405PAM'],
]
ORDERS = list(itertools.permutations(range(3)))
SEPARATOR_LINES = ['sep=;', 'sep=,', 'SEP=;', '"sep=;"', 'sep=;;', 'sep=|']
BLANK_LINES = ['', '', ' ', '\t', ';', ',;', ' ;\t, ', ';;;;', '   ;;;']
TOKENS = [
    '"', '"', '"', '""', ';', ',', '\n', '\r\n', '\r', '\r\r\n', '\\.', '\n\\.\n',
    '\\', '.', ' ', '\t', 'x', '"\n', '";"', BOM, '000000000001', '00000000000',
    'MP-0000', 'SPAM', '"SP"AM', ';;', 'account_id;marketplace_id,account_model\n',
    '000000000002;MP-0000;SPAM\n', '"000000000003","MP-0001","ECAM"\r\n',
    'sep=;\n', '"Sep=,"\r\n',
]


def make_file(rng, rows):
    kind = rng.random()
    if kind < 0.15:
        text = ''.join(rng.choices(TOKENS, k=rng.randrange(20)))
    else:
        text = make_rows(rng, rows)
        if kind < 0.40:
            for _ in range(rng.choice([1, 1, 2, 3])):
                text = mutate(rng, text, ['', *TOKENS])
    # A quote without a second one hides all else, so most get one.
    if text.count('"') % 2 and rng.random() < 0.8:
        text = mutate(rng, text, ['"'])
    return text


def mutate(rng, text, tokens):
    place = rng.randrange(len(text) + 1)
    end = place + rng.randrange(2) * (text[place:place + 1] != '"')
    return text[:place] + rng.choice(tokens) + text[end:]


def make_rows(rng, rows):
    separators = rng.choice([';', ',', ';,'])
    ends = rng.choices([['\n'], ['\r\n'], ['\n', '\r\n'], ['\r'], ['\r\r\n']],
                       [30, 30, 30, 9, 1])[0]
    order = rng.choice(ORDERS) if rng.random() < 0.3 else ORDERS[0]
    quoting = rng.choice([0, 0, 0.1, 0.5, 1])
    odd = rng.choice([0, 0, 0.03, 0.2])     # how often something is not plain

    def write_line(values):
        values = [quote(rng, value, quoting, odd) for value in values]
        line = values[0]
        for value in values[1:]:
            line += rng.choice(separators) + value
        if rng.random() < odd:
            line += ''.join(rng.choices(separators, k=rng.randrange(1, 4)))
        while rng.random() < odd / 2:
            line += rng.choice(ends) + rng.choice(BLANK_LINES)
        return line + rng.choice(ends)

    text = rng.choices(['', BOM, MARKS[1]], [18, 2, 1])[0]
    if rng.random() < 0.1:
        text += rng.choice(SEPARATOR_LINES) + rng.choice(ends)
    if rng.random() < 0.1:
        text += rng.choice(BLANK_LINES) + rng.choice(ends)
    if rng.random() < 0.7:
        text += write_line(make_header(rng, [HEADER[n] for n in order], odd))
    for _ in range(rows):
        row = make_row(rng, 4 * rows, odd)
        values = [row[n] for n in order]
        if rng.random() < odd / 3:
            values.insert(rng.randrange(4), rng.choice(['', 'x', '1']))
        if rng.random() < odd / 3:
            del values[rng.randrange(1, 3):]
        text += write_line(values)
    if rng.random() < odd:
        text += '\\.' + ''.join(rng.choices(ends, k=rng.randrange(3)))
    elif rng.random() < 0.3:
        text = text.rstrip(rng.choice(['\n', '\r\n']))
    return text


def make_header(rng, names, odd):
    if rng.random() < 0.2:
        names = [''.join(rng.choice([c, c.upper()]) for c in name)
                 for name in names]
    if rng.random() < odd / 2:
        names[rng.randrange(3)] = rng.choice(['', 'id', 'model', ' account_id',
                                              'marketplace', *HEADER])
    return names


def make_row(rng, ids, odd):
    if rng.random() < 0.2:
        account_id = rng.choice(list(POOL))
        row = [account_id, *POOL[account_id][2:]]
        if rng.random() < 0.1:
            row[1:] = rng.choice(MARKETPLACES), rng.choice(MODELS)
    else:
        row = [f'{rng.randrange(ids):012d}', rng.choice(MARKETPLACES),
               rng.choice(MODELS)]
    while rng.random() < odd:
        place = rng.randrange(3)
        row[place] = rng.choice(NEAR_MISSES[place])
    return row


def quote(rng, value, quoting, odd):
    """The value as it may stand in a file."""
    if rng.random() < quoting or re.search('[";,\r\n]', value):
        first, last = 0, len(value)
    elif rng.random() < odd / 3:
        first, last = sorted(rng.choices(range(len(value) + 1), k=2))
    else:
        return value
    quoted = value[first:last].replace('"', '""')
    return f'{value[:first]}"{quoted}"{value[last:]}'


ESCAPES = str.maketrans({'\\': r'\\', '\n': r'\n', '\r': r'\r', '\t': r'\t'})


def cases(seed, first, last):
    for number in range(first, last + 1):
        rng = random.Random(f'{seed}/{number}')
        if number % 5000 == 0:      # more than a batch and COPY's buffer hold
            rows = rng.randrange(4000, 9000)
        else:
            rows = rng.choices([rng.randrange(8), rng.randrange(60)], [9, 1])[0]
        text = make_file(rng, rows)
        result = json.dumps(report(text), ensure_ascii=False)
        yield '\t'.join([str(number), text.translate(ESCAPES),
                         result.translate(ESCAPES)])


if __name__ == '__main__':
    sys.stdout.reconfigure(encoding='utf-8', newline='\n')
    csv.field_size_limit(2**30)
    if sys.argv[1] == 'pool':
        lines = pool_sql()
    else:
        lines = cases(*map(int, sys.argv[1:]))
    for line in lines:
        print(line)
