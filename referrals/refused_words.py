"""Words that nobody may choose as the code of a link: those of the house, and foul ones.

Owns the lists; `codes` owns how they are compared: in small letters, look-alikes as one. Refuses
to be complete: what else offends, staff sees in the list of links.
"""

#: Addresses and roles: refused as a whole code, with or without digits around.
RESERVED = """
about account accounts admin administrator advocate anonymous api app apps assets auth billing
blog bot careers cart checkout click clicks code contact coupon dangol dashboard demo dev docs
download email event events faq favicon feedback file free friend gift guest healthz help helpdesk
home host hostmaster index info invite legal link links login logout mail manager marketing master
member members moderator mod news newsletter nobody noreply null official operator order orders
owner partner password payment payments points postmaster press privacy profile program promo
readyz refer referral referrals refund register reward rewards robots root sale sales secure
security service settings shop signin signup staff static status store support sysadmin system
team terms test token tokens undefined user users voucher vouchers webmaster welcome widget www
단골 가입 계정 고객 공지 관리 광고 결제 도움말 로그인 로그아웃 매니저 무료 본사 사장 사장님 상담
상담원 서비스 설정 시스템 약관 운영 운영팀 이벤트 주문 직원 추천 추천인 친구 쿠폰 테스트 포인트
할인 혜택 환불 회원
"""
#: What makes a code pass for the house, wherever it stands in it.
IMPERSONATING = """
admin customercare customerservice dangol helpcenter helpdesk moderator official support webmaster
고객센터 고객지원 관리자 공식계정 공식몰 본사직원 운영자 운영진 단골고객센터 단골팀 대표이사
"""
#: What holds one of those and means nothing by it.
INNOCENT = """
badminton
"""
#: Foul wherever it stands.
PROFANE = """
asshole bastard bitch blowjob bollock bullshit clitoris cocksuck dickhead dildo faggot fuck
goddamn handjob jackass jerkoff kike masturbat motherf nazi nigga nigger penis porn pussy rapist
retard schlampe shit slut tranny twat vagina wanker whore hitler heil kkk aekki byeongsin
byungshin byungsin gaesaek gaeseki jiral jotgat jotna kkeojyeo michinnom michinnyeon mijinnom
nimiral sekki shibal ssangnom ssangnyeon ssibal ssipal ssyang arschloch cabron carajo chinga
connard fotze hurensohn joder kurwa maricon merde mierda missgeburt pendejo putain wichser 개년
개새 개색 개소리 개자식 걸레년 김치녀 니미 니애미 느금 등신 미친년 미친놈 미친새끼 병신 빙신 븅신
뻐큐 새끼 섹스 쌍년 쌍놈 썅 씨발 씨팔 씹 시발 시팔 쓰레기 애미 애비 엠창 염병 야동 육갑 일베 잡년
잡놈 젠장 조까 좆 존나 지랄 창녀 창년 한남충 화냥 후레자식 개같은 개새기 개색기 개쓰레기 걸레같
니기미 느개비 또라이 맘충 미친개 보빨 빠구리 빡대가리 쉬발 쉬빨 싸가지 쌔끼 쓰벌 씌발 씨바 씨빨
애새끼 엿먹 좃 죽일놈 지럴 쪽바리 짱깨 틀딱 호로새끼
"""
#: Foul by itself, though innocent words hold it.
PROFANE_ALONE = """
anal anus arse ass balls boob boobs butt chink cock coon crap cum cunt damn dick dyke fag gook
hell homo hoe jap jizz kill lesbo negro nude nudes orgy paki piss prick rape satan scum sex sexy
sibal sipal spic suck tit tits titties turd wank xxx gaenyeon saekki ssip puta 보지 자지 젖 똥 년
놈 꺼져 닥쳐 변태 자살 살인 죽어 시바 자위
"""
