# awspool from Django: the view as a model that Django does not manage.

import os

import django
from django.conf import settings
from django.db import DatabaseError, IntegrityError, connection, models, transaction

settings.configure(DATABASES={'default': {
    'ENGINE': 'django.db.backends.postgresql',
    'NAME': os.environ['PGDATABASE'],
    'USER': os.environ['PGUSER'],
    'HOST': os.environ['PGHOST'],
    'PORT': os.environ['PGPORT'],
}}, USE_TZ=True)
django.setup()


class Account(models.Model):
    account_id = models.TextField(primary_key=True)
    provider = models.TextField(null=True)
    marketplace = models.TextField()
    model = models.TextField()
    status = models.TextField(null=True)
    order_id = models.TextField(null=True)
    order_model = models.TextField(null=True)
    reason = models.TextField(null=True)
    added_at = models.DateTimeField(null=True)
    added_by = models.TextField(null=True)
    claimed_at = models.DateTimeField(null=True)
    claimed_by = models.TextField(null=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.TextField(null=True)
    position = models.BigIntegerField(null=True)

    class Meta:
        app_label = 'shop'
        managed = False
        db_table = '"awspool"."accounts"'    # quoted: the schema is part of it


class Order(models.Model):
    order_id = models.TextField(primary_key=True)
    customer = models.TextField()

    class Meta:
        app_label = 'shop'
        managed = False
        db_table = 'orders'


ID = '1111111111{:02}'.format

# Add.  create() and bulk_create() send NULL for what the server fills in, and
# do not read it back.
Account.objects.create(account_id=ID(0), marketplace='MP-0001', model='SPAM')
Account.objects.bulk_create(
    Account(account_id=ID(n), marketplace='MP-0001', model='SPAM') for n in range(1, 6))
assert Account.objects.get(pk=ID(0)).provider == 'acme'

# List, a page at a time.
in_pool = Account.objects.filter(status='ready', marketplace='MP-0001').order_by('position')
ready, last = [], 0
while page := list(in_pool.filter(position__gt=last)[:4]):
    ready += [account.account_id for account in page]
    last = page[-1].position
assert ready == [ID(n) for n in range(6)]

# Claim.  It counts once it is committed, which is where atomic() ends; provision
# after that.  With ATOMIC_REQUESTS that is only when the request was answered.
with transaction.atomic():
    [account] = Account.objects.raw(
        'SELECT * FROM awspool.claim_account(%s, %s, %s)', ['acme', 'MP-0001', 'order-1'])
assert account.account_id == ID(0)

# Join: orders with a column of their accounts.
assert list(
    Order.objects.order_by('order_id').annotate(account=models.Subquery(
        Account.objects.filter(order_id=models.OuterRef('order_id'))
        .order_by('-position').values('account_id')[:1]))
    .values_list('customer', 'account')[:2]) == [('Ada', ID(0)), ('Grace', None)]

# Edit.  save() sends all columns, which is allowed as long as the others have
# the values that they had.
account = Account.objects.get(pk=ID(1))
account.model = 'ECAM'
account.save()
account.model = 'SPAM'
account.save(update_fields=['model'])

# Close.  Name the status that you saw: whoever comes second changes no row.
for changed in 1, 0:
    assert changed == Account.objects.filter(
        pk=ID(0), status='provisioning_in_progress').update(status='allocated')

# Delete.
assert Account.objects.filter(pk=ID(2)).delete()[0] == 1

# Errors are told apart by their code.
def code_of(change):
    try:
        with transaction.atomic():
            change()
    except DatabaseError as error:
        cause = error.__cause__
        return type(error), cause.pgcode, cause.diag.constraint_name

assert code_of(lambda: Account.objects.filter(pk=ID(0)).update(status='ready')) == (
    DatabaseError, 'WS001', None)
assert code_of(lambda: Account.objects.create(
    account_id=ID(1), marketplace='MP-0001', model='SPAM')) == (
        IntegrityError, '23505', 'account_pkey')

# What is to be found by looking at the database: inspectdb --include-views, with
# schema awspool in the search path, writes the model above but for its key.
with connection.cursor() as cursor:
    cursor.execute('SET search_path = awspool')
    found = connection.introspection.get_table_description(cursor, 'accounts')
    assert [column.name for column in found] == [
        'provider', 'account_id', 'marketplace', 'model', 'status', 'order_id',
        'order_model', 'reason', 'added_at', 'added_by', 'claimed_at', 'claimed_by',
        'closed_at', 'closed_by', 'position']
    assert all(column.null_ok for column in found)
