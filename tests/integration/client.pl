# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A guest's life through the stock Perl binding. Prints one line per step that went well; dies at the
# first that did not. Run by test_perl.py.
#
# usage: client.pl NAME UUID XML-FILE
use strict;
use warnings;
use Sys::Virt;
use Sys::Virt::Domain;
use Sys::Virt::Error;
use Sys::Virt::Stream;

my ($name, $uuid, $file) = @ARGV;
my $xml = do { local $/; open my $f, '<', $file or die "$file: $!"; <$f> };

$| = 1;
sub step { print "ok $_[0]\n" }
sub expect { my ($what, $seen, $expected) = @_; $seen eq $expected or die "$what: $seen, not $expected\n" }

my $conn = Sys::Virt->new(uri => $ENV{LIBVIRT_DEFAULT_URI});
expect('type', $conn->get_type(), 'QEMU');
$conn->get_hostname() or die;
$conn->get_capabilities() =~ /<capabilities>/ or die;
expect('node', $conn->get_node_info()->{model}, 'x86_64');
step 'connect';

my $dom = $conn->define_domain($xml);
expect('name', $dom->get_name(), $name);
expect('uuid', $conn->get_domain_by_name($name)->get_uuid_string(), $uuid);
expect('name', $conn->get_domain_by_uuid($uuid)->get_name(), $name);
grep { $_->get_name() eq $name } $conn->list_all_domains() or die 'not listed';
step 'define';

$dom->create(Sys::Virt::Domain::START_PAUSED);
expect('state', ($dom->get_state())[0], Sys::Virt::Domain::STATE_PAUSED);
expect('name by id', $conn->get_domain_by_id($dom->get_id())->get_name(), $name);
step 'start';

my $stream = $conn->new_stream();
$dom->open_console($stream, undef, Sys::Virt::Domain::OPEN_CONSOLE_FORCE);
$dom->resume();
my $seen = '';
alarm 60;
while ($seen !~ /modvirt guest ready/) {
    $stream->recv(my $data, 4096) > 0 or die "the console ended after '$seen'\n";
    $seen .= $data;
}
alarm 0;
$stream->finish();
step 'console';

expect('info', $dom->get_info()->{maxMem}, 96 * 1024);
$dom->suspend();
expect('state', ($dom->get_state())[0], Sys::Virt::Domain::STATE_PAUSED);
$dom->resume();
$dom->get_xml_description() =~ /<domain type='qemu' id='\d+'>/ or die 'no id in the live definition';
step 'control';

$dom->destroy();
expect('active', $dom->is_active() ? 1 : 0, 0);
$dom->undefine();
eval { $conn->get_domain_by_name($name) };
ref $@ or die 'no error for an absent domain';
expect('code', $@->code, Sys::Virt::Error::ERR_NO_DOMAIN);
step 'undefine';

my $ro = Sys::Virt->new(uri => $ENV{LIBVIRT_DEFAULT_URI}, readonly => 1);
$ro->list_all_domains();
eval { $ro->define_domain($xml) };
ref $@ or die 'a read-only connection defined a domain';
expect('code', $@->code, Sys::Virt::Error::ERR_OPERATIONED_DENIED);
step 'readonly';
