# All words of the official names in emoji-datasource-google 16.0.0 (MIT), for
# WordTokens.
words = """
0 1 2 3 4 5 5272 5408 55b6 6 6307 6708 6709 6e80 7 7121 7533 7981 7a7a 8 9 a ab
abacus above accept accommodation accordion address adhesive admission adult
advantage aerial afghanistan africa african aid airplane alarm albania alembic
algeria alien alternation ambulance american americas amphora amulet anatomical
anchor and andorra angel anger angola angry anguilla anguished ant antarctica
antenna anticlockwise antigua apple aquarius arab arabia argentina aries arm
armenia arriving arrow arrows articulated artist arts aruba ascension asia
asterisk astonished astronaut at athletic atom aubergine australia austria auto
automated automobile avocado axe azerbaijan b baby back backhand bacon bactrian
badge badger badminton bag bagel baggage bags baguette bahamas bahrain balance
bald ball ballet balloon ballot banana bandage bangladesh banjo bank banknote
bar barbados barber barbuda bars barth\xe9lemy baseball basket basketball bat
bath bathtub battery beach beads beans bear beard bearded beating beaver bed
beer beetle beginner behind belarus belgium belize bell bellhop benin bento
bermuda between beverage bhutan biceps bicycle bicycles bicyclist biking bikini
billed billiards biohazard bird birthday bison bissau biting black blond blood
blossom blowfish blue blueberries boar board boat bolivia bolt bomb bone book
bookmark books boomerang boot boots bosnia both botswana bottle bouncing
bouquet bouvet bow bowing bowl bowling box boxing boy brain branches brazil
brazzaville bread breast brick bride bridge briefcase briefs brightness british
broccoli broken broom brown brunei bubble bubbles bucket buffalo bug building
buildings bulb bulgaria bullet bunny buoy burkina burma burrito burundi bus
bust busts but butter butterfly button cabinet cableway cactus caicos cake
caledonia calendar call cambodia camel camera cameroon camping canada canary
cancellation cancer candle candy cane canned canoe cap cape capital capped
capricorn car card cards caribbean carousel carp carpentry carrot cars
cartwheel cartwheeling castle cat cayman celebration central ceremony ceuta
chad chain chains chair chart check cheering cheese chequered cherries cherry
chess chestnut chick chicken child children chile chime china chipmunk
chocolate chopsticks christmas church cinema circle circled circus city
cityscape cjk cl claim clamp clapper clapping classical claus climbing clinking
clipboard clipperton clock clockwise closed closet clothes cloud clouds clover
clown club coaster coat cockroach cocktail coconut cocos coffin coin cold
collision colombia comet comoros compass computer confetti confounded confused
congo congratulation construction control convenience cook cooked cookie
cooking cool copyright coral cork costa couch couple cover covering cow cowboy
crab cracker crayon cream credit crescent cricket croatia crocodile croissant
cross crossbones crossed crossing crown crutch crying crystal cuba cube
cucumber cunha cup cupcake cura\xe7ao curl curling curly currency curry curving
custard customs cut cyclone cyprus czechia c\xf4te d da dagger dancer dancing
dango dash david de deaf deciduous decoration decorative deeply deer delicious
delivery denmark department departure derelict desert design desk desktop
detective dharma diagonal diamond die diego direct disappointed disc disguised
dish disk dividers diving division diya dizzy djibouti dna do dodo dog doing
dollar dolls dolphin dominica dominican donkey door dot dotted double doughnut
dove down downwards dragon dress drink dromedary drooling drop droplet drops
drum drumsticks duck dumpling dusk dvd e eagle ear ears earth east ecuador egg
eggs egypt eight eighteen eject el electric elephant elevator eleven elf emblem
emirates emoji empty end engine england entry envelope equals equatorial
eritrea estonia eswatini ethiopia euro europe european evergreen evil exchange
exclamation exhaling exploding expressionless extended extinguisher
extraterrestrial eye eyebrow eyeglasses eyes face facepalming facing factory
fairy falafel falkland fallen family fan farmer faroe faso father fax fear
fearful feather feeding female fencer ferris ferry field fiji file film finger
fingerprint fingers finland fire firecracker firefighter firework fireworks
first fish fishing fist fisted fitzpatrick five flag flags flamingo flash flat
flatbread fleur flexed floor floppy flower flowing flushed flute fluttering fly
flying fog foggy folded folder folding fondue food foot football footprints for
fork fortune fountain four fox framed frames france free freezing french fried
fries frog front frowning fuel fuji full funeral futuna gabon gambia game
garcia garden garlic gear gem gemini genie georgia germany gesture gesturing
getting ghana ghost gibbous gibraltar gift ginger giraffe girl glass glasses
globe glove gloves glowing goal goat goblin goggles golfing good goose gorilla
graduation grapes greece green greenland grenada grenadines grey grimacing
grinning ground growing gua guadeloupe guam guard guardsman guatemala guernsey
guiana guide guinea guitar guyana hair haircut haiti halo hamburger hammer
hamsa hamster hand handbag handball handle hands handshake happy harp hash hat
hatching head headphone headscarf headstone health hear heard hearing heart
hearts heavy hedgehog heeled helena helicopter helix helmet herb herzegovina
hibiscus high hiking hindu hippopotamus hit hocho hockey holding hole honduras
honey honeybee hong hook hoop horizontal horizontally horn horns horse hospital
hot hotel hourglass house houses hugging hundred hungary hushed hut hyacinth i
ice iceland id identification ideograph imp in inbox incoming index india
indian indonesia infinity information ink input inside iran iraq ireland island
islands isle israel italy its ivoire izakaya jack jamaica jan japan japanese
jar jeans jellyfish jersey jigsaw joker jordan joy joystick judge juggling
kaaba kangaroo katakana kazakhstan keeling kenya key keyboard keycap khanda
kimono kingdom kinshasa kiribati kiss kissing kite kitts kiwifruit kneeling
knife knobs knot koala koko kong korea kosovo kuwait kyrgyzstan lab label
lacrosse ladder lady lamp lanka lantern laos large last latin latvia laughing
leaf leafless leafy lebanon ledger left leftwards leg lemon leo leone leopard
lesotho leste letter letters level levitating liberia liberty libra libya
liechtenstein lifting light lightning lime line link linked lion lip lips
lipstick liquid lis lithuania litter lizard llama lobster lock locomotive
lollipop long look loop lorry lotion lotus loudly loudspeaker love low lowered
lucia luggage lungs luxembourg lying m maarten macao macedonia machine
madagascar mage magic magnet magnifying mahjong mail mailbox maize malawi
malaysia maldives male mali malta mammoth man mango mans mantelpiece manual mao
map maple maracas mariana marino mark marshall martial martin martinique mask
massage mate mauritania mauritius mayen mayotte mcdonald me meat mechanic
mechanical medal medical medium megaphone melilla melon melting memo men
mending menorah mens meridians mermaid merman merperson metro mexico microbe
micronesia microphone microscope middle military milk milky minibus minidisc
minus miquelon mirror mobile mode modifier moldova monaco money mongolia monkey
monocle monorail monster montenegro montserrat moon moose morocco mosque
mosquito mother motor motorcycle motorized motorway mount mountain mountains
mouse mouth movie moyai mozambique mug mugs multiple multiplication mushroom
musical mx myanmar nail name namibia national nations nauru nauseated nazar
necktie needle negative nepal nerd nest nesting net netherlands neutral nevis
new newspaper next ng nib nicaragua niger nigeria night nine ninja niue no non
norfolk north northern norway nose not note notebook notepad notes numbers nut
o ocean oclock octagonal octopus oden of off office officer ogre oil ok old
older olive om oman on oncoming one onion open ophiuchus optical or orange
orangutan ornament orthodox otter out outbox outlying over overheated overlay
owl ox oyster p package paddle page pager paintbrush pakistan palau palestinian
palette palm palms pan panama pancakes panda paper paperclip paperclips papua
parachute paraguay park parrot part party passenger passport pause paw pawn pea
peace peach peacock peanuts pear pedestrian pedestrians peeking pen pencil
penguin pensive people pepper performing persevering person personal peru petri
philippines phoenix phone phones pi pick pickup picture pie piece pierre pig
pile pill pilot pin pinata pinched pinching pine pineapple pink pirate pisces
pistol pitcairn pizza placard place planet plant plate play playground playing
pleading plug plunger plus pod pointed pointing points poland polar pole police
polish polo polynesia poo poodle popcorn popper popping portugal position post
postal postbox pot potable potato potted pouch poultry pound pouring pouting
prayer pregnant present pretzel prince princess printer prints probing
projector pr\xedncipe public puck puerto pump purple purse pushing pushpin put
puzzle qatar quarter question rabbit raccoon racing racquet radio radioactive
rail railway rain rainbow raised raising ram rat ray rays razor receipt
receiver record recreational recycling red registered relieved reminder
republic rescue restroom reversed revolving rex rhinoceros ribbon rica rice
rickshaw rico right rightwards ring ringed roasted robot rock rocket roll
rolled roller rolling romania room rooster root rose rosette round rowboat
rowing rugby ruler runner running russia rwanda r\xe9union s sa safety
sagittarius sahara sailboat sake salad salt saluting salvador samoa san sand
sandal sandwich sar sari sark sash satchel satellite saucer saudi sauropod
savouring saw saxophone scale scarf school scientist scissors scooter score
scorpion scorpius scotland screaming screwdriver scroll seal seat second secret
see seedling selfie senegal serbia serious service seven sewing seychelles
shaker shaking shallow shamrock shape shaped shark shaved sheep shell shield
shinto ship shirt shocked shoe shoes shooting shopping shortcake shorts shovel
shower shrimp shrine shrug shrugging shuttlecock sierra sign silhouette
singapore singer sint six skate skateboard ski skier skull skunk sled sleeping
sleepy slice slide slider slightly slot sloth slovakia slovenia small smile
smiling smirking smoking snail snake sneezing snow snowboarder snowflake
snowman soap soccer socks soft softball solomon somalia soon sos sound source
south southern spade spaghetti spain sparkle sparkler sparkles sparkling speak
speaker speaking speech speed speedboat spider spiral splashing splatter
splayed spoked sponge spool spoon sports spouting springs square squared squid
sri st stadium standing star stars states station statue steam steaming steamy
stethoscope stick stone stop stopwatch store straight straw strawberry streamer
stroke stuck student studio stuffed sudan suit sun sunflower sunglasses sunrise
sunset superhero supervillain surfer surfing suriname sushi suspension svalbard
swan sweat sweden sweet swimmer swimming swimsuit swirl switzerland swords
symbol symbols synagogue syria syringe s\xe3o t table tabs taco taiwan
tajikistan takeout tamale tanabata tangerine tanzania taurus taxi tea teacher
teacup teapot tear tears technologist teddy telephone telescope television
teller temple ten tennis tent territories territory test thailand the then
thermometer thinking third thirty thong thought thread three throwing thumb
thumbs ticket tickets tiger tightly tile timer timor tipping tired tobago
together togo toilet tokelau tokyo tomato tom\xe9 tonga tongue toolbox tooth
toothbrush top torch tornado tower track trackball tractor trade traffic train
tram tramway transgender trap tray tree trend triangle triangular trident
trinidad tristan triumph troll trolley trolleybus trophy tropical truck trumpet
tube tulip tumbler tunisia turban turkey turkmenistan turks turtle tuvalu
tuxedo twelve twisted two type t\xfcrkiye u uganda ukraine umbrella unamused
under uneven unicorn unified uniform union united universal up upside upwards
urn uruguay uzbekistan vampire vanuatu vatican vegetable vehicle veil venezuela
verde vertical vertically vest vibration victory video videocassette vietnam
viewer viewing vincent violin virgin virgo volcano volleyball voltage vomiting
vs waffle wales walking wallis wand waning warning wastebasket watch water
watermelon wave waves waving wavy waxing way wearing weary web wedding wedge
weights west western whale wheel wheelchair white wilted wind window wine wing
wings winking wireless with without wolf woman womans women womens wood worker
world worm worried worship wrapped wrench wrestlers wrestling writing wry x
yang yarn yawning yellow yemen yen yin yo you zambia zealand zebra zimbabwe
zipper zombie \xe5land
"""
words = words.split()
